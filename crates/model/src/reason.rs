//! Why a record became a dead letter. The codes are part of the model: users group by them and look
//! them up in docs/errors.

use std::borrow::Cow;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal,)*) => {
        /// A reason code of a dead letter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[doc = $doc])* $name,)* }

        impl Reason {
            pub const ALL: &[Reason] = &[$(Reason::$name,)*];

            pub fn code(self) -> &'static str {
                match self { $(Reason::$name => $code,)* }
            }

            /// The meaning of the code in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Reason::$name => concat!($($doc,)*).trim_ascii(),)* }
            }
        }
    };
}

reasons! {
    /// The record is not JSON by RFC 8259.
    NotJson = "not_json",
    /// The record's bytes are not UTF-8 (or not the stream's encoding).
    NotUtf8 = "not_utf8",
    /// The record is JSON, but not an object.
    NotAnObject = "not_an_object",
    /// The CSV row has a different number of fields than its header, or its quotes do not close.
    NotCsv = "not_csv",
    /// The record is not an Avro datum in a schema registry's framing, or does not match its
    /// schema.
    NotAvro = "not_avro",
    /// The record names a schema that the registry does not have.
    UnknownSchema = "unknown_schema",
    /// The record's schema is not valid Avro, or is not a record schema.
    BadSchema = "bad_schema",
    /// The record is JSON, but not a change event of Debezium.
    NotDebezium = "not_debezium",
    /// A change or deletion does not contain the row before the change.
    NoBefore = "no_before",
    /// An append-only table of facts cannot represent this change of a row.
    UnsupportedChange = "unsupported_change",
    /// The record has a key but no value.
    Tombstone = "tombstone",
    /// The record is larger than the stream's limit.
    TooLarge = "too_large",
    /// The record nests deeper than 128 levels.
    TooDeep = "too_deep",
    /// A field of the contract appears twice.
    DuplicateField = "duplicate_field",
    /// A field that the contract requires is absent, null or empty.
    MissingField = "missing_field",
    /// A field has another type than the contract's.
    WrongType = "wrong_type",
    /// A text is not a finite decimal number.
    NotADecimal = "not_a_decimal",
    /// A decimal has more fractional digits than the field keeps.
    TooPrecise = "too_precise",
    /// A number is 10^12 or more.
    OutOfRange = "out_of_range",
    /// A timestamp is neither RFC 3339 nor an epoch, or is outside the years 1900 to 2199.
    BadTimestamp = "bad_timestamp",
    /// A currency is not an ISO 4217 code.
    UnknownCurrency = "unknown_currency",
    /// A country is neither an ISO 3166-1 alpha-2 code nor a known name.
    UnknownCountry = "unknown_country",
    /// A value is not one of those that the field allows.
    UnknownValue = "unknown_value",
    /// A sale has a negative quantity.
    NegativeQuantity = "negative_quantity",
    /// A text is longer than its limit.
    TextTooLong = "text_too_long",
    /// A text contains a control character.
    ControlCharacter = "control_character",
    /// The mapping could not compute this field of this record.
    MappingFailed = "mapping_failed",
    /// The id was seen before with other contents, or its row was inserted again.
    Conflict = "conflict",
    /// The record names a new member whose computed key another member has already.
    KeyCollision = "key_collision",
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

/// What is wrong with a record: the reason, the path of the field (`lines[2].quantity`; empty for
/// the whole record) and a detail for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub reason: Reason,
    pub field: Cow<'static, str>,
    pub detail: Cow<'static, str>,
}

impl DeadLetter {
    pub fn new(reason: Reason, field: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, field: field.into(), detail: detail.into() }
    }
}
