//! The nine contracts of a stream: the fields of a record, their types, and which are required.

/// The type of a contract's field, for users and for the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// At most 128 bytes: an identifier.
    Id,
    /// At most 1,024 bytes.
    Text,
    /// At most 8,192 bytes: page URLs, search terms.
    LongText,
    /// DECIMAL(18,6).
    Amount,
    /// DECIMAL(18,3).
    Quantity,
    /// DECIMAL(18,9).
    Rate,
    /// A whole number.
    Integer,
    Boolean,
    /// RFC 3339, or epoch seconds, milliseconds or microseconds; kept as µs UTC.
    Timestamp,
    /// A calendar day, `2026-01-31`.
    Day,
    /// An ISO 4217 code.
    Currency,
    /// An ISO 3166-1 alpha-2 code or a known name.
    Country,
    /// An array of names, or one text with `>` between the levels; at most 5.
    Category,
    /// An array of texts.
    Texts,
    /// `{street, postcode, city, region, country}`; as columns of a mapping: `<field>_street` …
    /// (see [`Contract::columns`]).
    Address,
    /// An array of nested order lines or refund lines.
    Lines,
}

/// A field of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub required: bool,
}

const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

/// The contract of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Contract {
    Event,
    Order,
    OrderLine,
    Payment,
    Refund,
    Customer,
    Product,
    Inventory,
    FxRate,
}

/// The fields that every contract has, first in its list.
pub const ENVELOPE: [Field; 12] = [
    may("event_id", Kind::Id),
    must("occurred_at", Kind::Timestamp),
    may("source", Kind::Id),
    may("schema_version", Kind::Id),
    may("sent_at", Kind::Timestamp),
    may("store_id", Kind::Id),
    may("channel", Kind::Id),
    may("session_id", Kind::Id),
    may("anonymous_id", Kind::Id),
    may("customer_id", Kind::Id),
    may("is_test", Kind::Boolean),
    may("is_bot", Kind::Boolean),
];

/// The behaviour events by name; any other type is accepted as `custom`.
pub const EVENT_TYPES: [&str; 23] = [
    "page_viewed",
    "products_searched",
    "product_list_viewed",
    "product_list_filtered",
    "product_clicked",
    "product_viewed",
    "promotion_viewed",
    "promotion_clicked",
    "product_added",
    "product_removed",
    "cart_viewed",
    "wishlist_added",
    "wishlist_removed",
    "coupon_entered",
    "coupon_applied",
    "coupon_denied",
    "coupon_removed",
    "checkout_started",
    "checkout_step_completed",
    "shipping_info_added",
    "payment_info_added",
    "payment_failed",
    "order_completed",
];

const EVENT: &[Field] = &[
    must("type", Kind::Id),
    may("product_id", Kind::Id),
    may("quantity", Kind::Quantity),
    may("price", Kind::Amount),
    may("currency", Kind::Currency),
    may("url", Kind::LongText),
    may("referrer", Kind::LongText),
    may("utm_source", Kind::Text),
    may("utm_medium", Kind::Text),
    may("utm_campaign", Kind::Text),
    may("utm_term", Kind::Text),
    may("utm_content", Kind::Text),
    may("device", Kind::Text),
    may("country", Kind::Country),
    may("search_query", Kind::LongText),
    may("list_id", Kind::Id),
    may("position", Kind::Integer),
    may("cart_id", Kind::Id),
    may("checkout_id", Kind::Id),
    may("order_id", Kind::Id),
];

const ORDER: &[Field] = &[
    must("order_id", Kind::Id),
    may("revision", Kind::Integer),
    may("status", Kind::Id),
    may("financial_status", Kind::Id),
    may("fulfilment_status", Kind::Id),
    may("placed_at", Kind::Timestamp),
    may("processed_at", Kind::Timestamp),
    may("paid_at", Kind::Timestamp),
    may("cancelled_at", Kind::Timestamp),
    may("closed_at", Kind::Timestamp),
    may("cancel_reason", Kind::Text),
    may("currency", Kind::Currency),
    may("shop_currency", Kind::Currency),
    may("tax_included", Kind::Boolean),
    may("subtotal", Kind::Amount),
    may("discount", Kind::Amount),
    may("tax", Kind::Amount),
    may("shipping", Kind::Amount),
    may("duty", Kind::Amount),
    may("tip", Kind::Amount),
    may("gift_card", Kind::Amount),
    may("total", Kind::Amount),
    may("coupons", Kind::Texts),
    may("billing_address", Kind::Address),
    may("shipping_address", Kind::Address),
    may("attribution", Kind::Text),
    may("lines", Kind::Lines),
];

const ORDER_LINE: &[Field] = &[
    must("order_id", Kind::Id),
    must("line_id", Kind::Id),
    may("movement", Kind::Id),
    may("placed_at", Kind::Timestamp),
    may("product_id", Kind::Id),
    may("variant_id", Kind::Id),
    may("sku", Kind::Id),
    may("name", Kind::Text),
    may("brand", Kind::Text),
    may("category", Kind::Category),
    must("quantity", Kind::Quantity),
    may("list_price", Kind::Amount),
    may("unit_price", Kind::Amount),
    may("discount", Kind::Amount),
    may("tax", Kind::Amount),
    may("shipping", Kind::Amount),
    may("amount", Kind::Amount),
    must("currency", Kind::Currency),
    may("is_gift_card", Kind::Boolean),
    may("promotion", Kind::Id),
    may("shipping_address", Kind::Address),
];

const PAYMENT: &[Field] = &[
    must("payment_id", Kind::Id),
    must("order_id", Kind::Id),
    must("kind", Kind::Id),
    may("parent_id", Kind::Id),
    may("status", Kind::Id),
    may("gateway", Kind::Id),
    may("method", Kind::Id),
    must("amount", Kind::Amount),
    must("currency", Kind::Currency),
    may("instalments", Kind::Integer),
    may("sequence", Kind::Integer),
];

const REFUND: &[Field] = &[
    must("refund_id", Kind::Id),
    must("order_id", Kind::Id),
    must("currency", Kind::Currency),
    may("placed_at", Kind::Timestamp),
    may("shipping", Kind::Amount),
    may("adjustments", Kind::Amount),
    may("reason", Kind::Text),
    may("lines", Kind::Lines),
    may("shipping_address", Kind::Address),
];

/// The fields of a refund's nested lines.
pub const REFUND_LINE: &[Field] = &[
    must("line_id", Kind::Id),
    may("product_id", Kind::Id),
    must("quantity", Kind::Quantity),
    must("amount", Kind::Amount),
    may("tax", Kind::Amount),
    may("restock", Kind::Boolean),
];

// `customer_id` is in the envelope and required here.
const CUSTOMER: &[Field] = &[
    may("name", Kind::Text),
    may("email", Kind::Text),
    may("phone", Kind::Text),
    may("segment", Kind::Text),
    may("consent", Kind::Text),
    may("address", Kind::Address),
];

const PRODUCT: &[Field] = &[
    must("product_id", Kind::Id),
    may("variant_id", Kind::Id),
    may("sku", Kind::Id),
    may("name", Kind::Text),
    may("brand", Kind::Text),
    may("category", Kind::Category),
    may("price", Kind::Amount),
    may("cost", Kind::Amount),
    may("currency", Kind::Currency),
    may("status", Kind::Id),
];

const INVENTORY: &[Field] =
    &[must("product_id", Kind::Id), may("variant_id", Kind::Id), must("location", Kind::Id), must("level", Kind::Quantity)];

const FX_RATE: &[Field] =
    &[must("base", Kind::Currency), must("quote", Kind::Currency), must("day", Kind::Day), must("rate", Kind::Rate)];

/// The fields of an address.
pub const ADDRESS: [&str; 5] = ["street", "postcode", "city", "region", "country"];

impl Contract {
    pub const ALL: [Contract; 9] = [
        Contract::Event,
        Contract::Order,
        Contract::OrderLine,
        Contract::Payment,
        Contract::Refund,
        Contract::Customer,
        Contract::Product,
        Contract::Inventory,
        Contract::FxRate,
    ];

    /// The name in configuration: `order_line`.
    pub fn name(self) -> &'static str {
        match self {
            Contract::Event => "event",
            Contract::Order => "order",
            Contract::OrderLine => "order_line",
            Contract::Payment => "payment",
            Contract::Refund => "refund",
            Contract::Customer => "customer",
            Contract::Product => "product",
            Contract::Inventory => "inventory",
            Contract::FxRate => "fx_rate",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|contract| contract.name() == name)
    }

    /// The fields beyond the envelope.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Contract::Event => EVENT,
            Contract::Order => ORDER,
            Contract::OrderLine => ORDER_LINE,
            Contract::Payment => PAYMENT,
            Contract::Refund => REFUND,
            Contract::Customer => CUSTOMER,
            Contract::Product => PRODUCT,
            Contract::Inventory => INVENTORY,
            Contract::FxRate => FX_RATE,
        }
    }

    /// The columns that a mapping for this contract may select: the fields, with an address split
    /// into `<field>_street`, `<field>_postcode`, `<field>_city`, `<field>_region`,
    /// `<field>_country`.
    pub fn columns(self) -> Vec<String> {
        ENVELOPE
            .iter()
            .chain(self.fields())
            .flat_map(|field| match field.kind {
                Kind::Address => ADDRESS.iter().map(|part| format!("{}_{part}", field.name)).collect(),
                _ => vec![field.name.to_owned()],
            })
            .collect()
    }

    /// Whether the field is required in this contract.
    pub fn requires(self, name: &str) -> bool {
        match (self, name) {
            (Contract::Event, "event_id") | (Contract::Customer, "customer_id") => true,
            _ => ENVELOPE.iter().chain(self.fields()).any(|field| field.required && field.name == name),
        }
    }

    /// Reference data is read before facts, so that few members begin as placeholders. No figure
    /// depends on it.
    pub fn is_reference(self) -> bool {
        matches!(self, Contract::FxRate | Contract::Product | Contract::Customer)
    }

    /// The dedupe index keeps money keys forever, other keys for the stream's window.
    pub fn is_money(self) -> bool {
        matches!(self, Contract::Order | Contract::OrderLine | Contract::Payment | Contract::Refund)
    }
}
