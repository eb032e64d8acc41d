//! The lines inside an order or a refund, read and checked before the record is decided on.

use std::sync::LazyLock;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use kassa_model::contract::REFUND_LINE;
use kassa_model::{Amount, Contract, Currency, DeadLetter, Movement, Quantity, Reason};
use serde_json::value::RawValue;

use crate::decode::{self, Layout, Leads, Payload, Value};
use crate::event::{self, Address, Body, Event, Order, OrderLine, Refund};
use crate::validate::{Reader, mix};

/// A line inside an order or a refund, checked.
#[derive(Debug)]
pub struct NestedLine {
    /// Its number in its record, from 1: 0 is the record's own row.
    pub nth: u32,
    pub line_id: String,
    pub content_hash: i64,
    pub(crate) row: Movements,
}

impl NestedLine {
    /// Its path in the record: `lines[2]`.
    pub fn path(&self) -> String {
        format!("lines[{}]", self.nth - 1)
    }
}

/// The fields of a ledger row that come from the line itself.
#[derive(Debug)]
pub(crate) struct Movements {
    pub(crate) movement: Movement,
    pub(crate) product: (Option<String>, Option<String>),
    /// sku, name, brand, category
    pub(crate) said: [Option<String>; 4],
    pub(crate) currency: Currency,
    pub(crate) quantity: Quantity,
    pub(crate) list_price: Option<Amount>,
    pub(crate) unit_price: Option<Amount>,
    /// gross, discount, tax, shipping: signed like the movement
    pub(crate) amounts: [Amount; 4],
    pub(crate) is_gift_card: bool,
    pub(crate) promotion: Option<String>,
    /// The line's own destination, if it has one.
    pub(crate) ship_to: Option<Destination>,
    /// The line's own unknown fields.
    pub(crate) extra: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Destination {
    parts: [Option<String>; 4],
    country: Option<&'static str>,
}

impl Destination {
    fn of(address: &Address<'_>) -> Option<Self> {
        let parts = [address.street, address.postcode, address.city, address.region];
        let is_stated = address.country.is_some() || parts.iter().any(Option::is_some);
        is_stated.then(|| Self { parts: parts.map(owned), country: address.country })
    }

    pub(crate) fn address(&self) -> Address<'_> {
        let [street, postcode, city, region] = self.parts.each_ref().map(Option::as_deref);
        Address { street, postcode, city, region, country: self.country }
    }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

pub(crate) fn negative(amount: Option<Amount>) -> Amount {
    Amount::from_units(-amount.unwrap_or_default().0)
}

/// Reads and checks the nested lines of an order or a refund, and adds their hashes to the event's. An error names the line:
/// `lines[2].quantity`.
pub fn nested_lines(event: &mut Event<'_>, zone: &jiff::tz::TimeZone) -> Result<Vec<NestedLine>, DeadLetter> {
    let lines = match &event.body {
        Body::Order(order) => order_lines(event, order, zone)?,
        Body::Refund(refund) => refund_lines(refund, zone)?,
        _ => return Ok(Vec::new()),
    };
    let bits = |hash: i64| u64::from_ne_bytes(hash.to_ne_bytes());
    if !lines.is_empty() {
        let all = lines.iter().fold(bits(event.content_hash), |all, line| mix(all, bits(line.content_hash)));
        event.content_hash = kassa_model::key::positive(all);
    }
    Ok(lines)
}

/// Limit of lines per record, against hostile input.
const LINES_MAX: usize = 10_000;

fn raw_lines(json: Option<&str>) -> Result<Vec<&RawValue>, DeadLetter> {
    let Some(json) = json else { return Ok(Vec::new()) };
    let lines: Vec<&RawValue> =
        serde_json::from_str(json).map_err(|error| DeadLetter::new(Reason::NotJson, "lines", error.to_string()))?;
    if lines.len() > LINES_MAX {
        return Err(DeadLetter::new(Reason::OutOfRange, "lines", format!("{} lines, at most {LINES_MAX}", lines.len())));
    }
    Ok(lines)
}

/// Adds the line's path to a dead letter.
fn at_line(nth: u32, letter: DeadLetter) -> DeadLetter {
    let field =
        if letter.field.is_empty() { format!("lines[{}]", nth - 1) } else { format!("lines[{}].{}", nth - 1, letter.field) };
    DeadLetter { field: field.into(), ..letter }
}

fn order_lines(event: &Event<'_>, order: &Order<'_>, zone: &jiff::tz::TimeZone) -> Result<Vec<NestedLine>, DeadLetter> {
    static LAYOUT: LazyLock<Layout> = LazyLock::new(|| Layout::new(Contract::OrderLine));
    let layout = &*LAYOUT;
    let currency = order.currency.map(|currency| currency.to_string());
    let slots = ["occurred_at", "order_id", "currency"].map(|name| layout.slot(name).unwrap_or_default());
    let (mut checked, mut seen) = (Vec::new(), HashMap::new());
    let (mut payload, mut leads) = (Payload::new(layout), Leads::default());
    for (nth, raw) in (1..).zip(raw_lines(order.lines)?) {
        decode::json(layout, raw.get().as_bytes(), &mut payload, &mut leads).map_err(|letter| at_line(nth, letter))?;
        let inherited = [
            Value::Micros(event.envelope.occurred_at),
            Value::Text(order.order_id.into()),
            currency.as_deref().map_or(Value::Absent, |code| Value::Text(code.into())),
        ];
        for (slot, value) in slots.into_iter().zip(inherited) {
            if *payload.get(slot) == Value::Absent {
                payload.set(slot, value);
            }
        }
        let line = event::validate(layout, &payload, zone).map_err(|letter| at_line(nth, letter))?;
        let Body::OrderLine(body) = &line.body else { continue };
        match seen.entry(body.line_id.to_owned()) {
            Entry::Vacant(entry) => {
                entry.insert(line.content_hash);
                let (line_id, row) = (body.line_id.to_owned(), movements(body, line.extra));
                checked.push(NestedLine { nth, line_id, content_hash: line.content_hash, row });
            }
            // The same line twice with equal contents: keep one.
            Entry::Occupied(entry) if *entry.get() == line.content_hash => {}
            Entry::Occupied(_) => {
                let letter = DeadLetter::new(Reason::Conflict, "line_id", "the order has another line with this id");
                return Err(at_line(nth, letter));
            }
        }
    }
    Ok(checked)
}

fn movements(line: &OrderLine<'_>, extra: Option<&str>) -> Movements {
    Movements {
        movement: line.movement,
        product: (owned(line.product_id), owned(line.variant_id)),
        said: [owned(line.sku), owned(line.name), owned(line.brand), line.category.clone()],
        currency: line.currency,
        quantity: line.quantity,
        list_price: line.list_price,
        unit_price: line.unit_price,
        amounts: [line.gross, line.discount, line.tax, line.shipping],
        is_gift_card: line.is_gift_card,
        promotion: owned(line.promotion),
        ship_to: Destination::of(&line.ship_to),
        extra: owned(extra),
    }
}

fn refund_lines(refund: &Refund<'_>, zone: &jiff::tz::TimeZone) -> Result<Vec<NestedLine>, DeadLetter> {
    static LAYOUT: LazyLock<Layout> =
        LazyLock::new(|| Layout::of_fields(Contract::Refund, REFUND_LINE.iter().map(|field| (field.name, field.kind))));
    let layout = &*LAYOUT;
    let mut checked = Vec::new();
    let (mut payload, mut leads) = (Payload::new(layout), Leads::default());
    for (nth, raw) in (1..).zip(raw_lines(refund.lines)?) {
        decode::json(layout, raw.get().as_bytes(), &mut payload, &mut leads).map_err(|letter| at_line(nth, letter))?;
        let mut r = Reader::new(layout, &payload, zone);
        let line = event::refund_line(&mut r).map_err(|letter| at_line(nth, letter))?;
        let row = Movements {
            movement: Movement::Return,
            product: (owned(line.product_id), None),
            said: [None, None, None, None],
            currency: refund.currency,
            quantity: Quantity::from_units(-line.quantity.0),
            list_price: None,
            unit_price: None,
            amounts: [negative(Some(line.amount)), Amount::ZERO, negative(line.tax), Amount::ZERO],
            is_gift_card: false,
            promotion: None,
            ship_to: None,
            extra: owned(r.extra()),
        };
        checked.push(NestedLine { nth, line_id: line.line_id.to_owned(), content_hash: r.content_hash(), row });
    }
    Ok(checked)
}

/// Whether nested lines differ from the header's subtotal by more than a minor unit per line: flagged, not refused.
pub(crate) fn differ(order: &Order<'_>, lines: &[NestedLine]) -> bool {
    let [Some(subtotal), ..] = order.amounts else { return false };
    let net = |line: &NestedLine| i128::from(line.row.amounts[0].0) - i128::from(line.row.amounts[1].0);
    let slack = lines.iter().map(|_| i128::from(Amount::ONE / 100)).sum::<i128>();
    let apart = lines.iter().map(net).sum::<i128>() - i128::from(subtotal.0);
    !lines.is_empty() && apart.abs() > slack
}
