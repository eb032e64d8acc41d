//! The schemas: a contract's fields as Avro types. Decimals and times are logical types, and an
//! optional field is a union with null.

use kassa_model::Contract;
use kassa_model::contract::{self, ADDRESS, ENVELOPE, Kind, REFUND_LINE};
use serde_json::{Value, json};

use super::{Version, WIDER};

/// The encoding of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    /// With this number of fractional digits.
    Decimal(u32),
    Whole,
    Truth,
    Moment,
    Day,
    Texts,
    /// Nested records; the shop writes their fields in this order.
    Record(&'static [Nested]),
    Records(&'static [Nested]),
}

/// A field of a nested record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Nested {
    pub(super) name: &'static str,
    pub(super) kind: Type,
    pub(super) is_required: bool,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Type,
    pub(super) is_required: bool,
    /// Only [`Version::NewFields`] has it.
    pub(super) is_new: bool,
}

const fn nested(name: &'static str, kind: Type, is_required: bool) -> Nested {
    Nested { name, kind, is_required }
}

const PLACE: &[Nested] = &[
    nested(ADDRESS[0], Type::Text, false),
    nested(ADDRESS[1], Type::Text, false),
    nested(ADDRESS[2], Type::Text, false),
    nested(ADDRESS[3], Type::Text, false),
    nested(ADDRESS[4], Type::Text, false),
];

const LINE: &[Nested] = &[
    nested(REFUND_LINE[0].name, Type::Text, true),
    nested(REFUND_LINE[1].name, Type::Text, false),
    nested(REFUND_LINE[2].name, Type::Decimal(3), true),
    nested(REFUND_LINE[3].name, Type::Decimal(6), true),
    nested(REFUND_LINE[4].name, Type::Decimal(6), false),
    nested(REFUND_LINE[5].name, Type::Truth, false),
];

const EXPERIMENT: &[Nested] = &[nested("name", Type::Text, true), nested("arm", Type::Text, true)];

/// The fields that a newer producer adds.
const NEW: [(&str, Type); 3] =
    [("loyalty_tier", Type::Text), ("app_build", Type::Whole), ("experiment", Type::Record(EXPERIMENT))];

/// A schema that is unrelated to the shop.
pub(super) const FOREIGN: &str = r#"{"type":"record","name":"Heartbeat","namespace":"monitoring","fields":[{"name":"service","type":"string"},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}]}"#;

/// The fields of a contract in the order of its schemas.
pub(super) fn fields(contract: Contract) -> Vec<Field> {
    // The shop sends the lines of an order as separate records.
    let own = |field: &&contract::Field| field.kind != Kind::Lines || contract == Contract::Refund;
    let known = ENVELOPE.iter().chain(contract.fields()).filter(own).map(|field| Field {
        name: field.name,
        kind: type_of(field.kind),
        is_required: contract.requires(field.name),
        is_new: false,
    });
    let new = NEW.into_iter().map(|(name, kind)| Field { name, kind, is_required: false, is_new: true });
    known.chain(new).collect()
}

fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Id | Kind::Text | Kind::LongText | Kind::Currency | Kind::Country => Type::Text,
        Kind::Amount => Type::Decimal(6),
        Kind::Quantity => Type::Decimal(3),
        Kind::Rate => Type::Decimal(9),
        Kind::Integer => Type::Whole,
        Kind::Boolean => Type::Truth,
        Kind::Timestamp => Type::Moment,
        Kind::Day => Type::Day,
        Kind::Category | Kind::Texts => Type::Texts,
        Kind::Address => Type::Record(PLACE),
        Kind::Lines => Type::Records(LINE),
    }
}

/// A contract's schema in a version, as JSON.
pub(super) fn text(contract: Contract, version: Version) -> String {
    let mut named = Vec::new();
    let fields = fields(contract);
    let of_version = fields.iter().filter(|field| !field.is_new || version == Version::NewFields);
    let fields: Vec<Value> =
        of_version.map(|field| declared(field.name, field.kind, field.is_required, version, &mut named)).collect();
    json!({ "type": "record", "name": pascal(contract.name()), "namespace": "shop", "fields": fields }).to_string()
}

fn declared(name: &str, kind: Type, is_required: bool, version: Version, named: &mut Vec<&'static str>) -> Value {
    let kind = avro(kind, version, named);
    if is_required {
        json!({ "name": name, "type": kind })
    } else {
        json!({ "name": name, "type": ["null", kind], "default": null })
    }
}

/// A named type is declared at its first use and then referenced; `named` lists the declared ones.
fn avro(kind: Type, version: Version, named: &mut Vec<&'static str>) -> Value {
    match kind {
        Type::Text => json!("string"),
        Type::Decimal(scale) if version == Version::Widened => {
            json!({ "type": "bytes", "logicalType": "decimal", "precision": 28, "scale": scale + WIDER })
        }
        Type::Decimal(scale) => json!({ "type": "bytes", "logicalType": "decimal", "precision": 18, "scale": scale }),
        Type::Whole if version == Version::Widened => json!("long"),
        Type::Whole => json!("int"),
        Type::Truth => json!("boolean"),
        Type::Moment if version == Version::Millis => json!({ "type": "long", "logicalType": "timestamp-millis" }),
        Type::Moment => json!({ "type": "long", "logicalType": "timestamp-micros" }),
        Type::Day => json!({ "type": "int", "logicalType": "date" }),
        Type::Texts => json!({ "type": "array", "items": "string" }),
        Type::Record(fields) => record(fields, version, named),
        Type::Records(fields) => json!({ "type": "array", "items": record(fields, version, named) }),
    }
}

fn record(fields: &'static [Nested], version: Version, named: &mut Vec<&'static str>) -> Value {
    let name = match fields[0].name {
        "street" => "Address",
        "line_id" => "RefundLine",
        _ => "Experiment",
    };
    if named.contains(&name) {
        return json!(name);
    }
    named.push(name);
    let fields: Vec<Value> =
        fields.iter().map(|field| declared(field.name, field.kind, field.is_required, version, named)).collect();
    json!({ "type": "record", "name": name, "fields": fields })
}

/// `order_line` as `OrderLine`.
fn pascal(name: &str) -> String {
    name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}
