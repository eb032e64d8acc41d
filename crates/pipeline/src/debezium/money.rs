//! Changes of rows that hold money: an update becomes the difference, a deletion the reversal. The sum of all records of a row is
//! then the row's present amount.

use std::borrow::Cow;

use kassa_model::decimal::Decimal;
use kassa_model::{Contract, DeadLetter, Movement, Reason};

use super::envelope::{Change, no_before};
use super::rules::{Rules, unsupported};
use crate::decode::{Payload, Value};
use crate::event::{self, Body, Event, OrderLine, Payment, Refund};

/// The amounts of a row, and the fields that an adjustment cannot change.
struct Held {
    fixed: Vec<(&'static str, Option<String>)>,
    amounts: Vec<(&'static str, Sum)>,
    /// When the order was placed, if the contract has it.
    placed_at: Option<i64>,
    /// For a line: whether it is a plain sale, which a cancellation reverses.
    is_sale: bool,
    kind: String,
    id: String,
}

/// Units and scale.
#[derive(Debug, Clone, Copy)]
struct Sum(i64, u32);

impl Sum {
    fn of<const SCALE: u32>(value: Decimal<SCALE>) -> Self {
        Self(value.0, SCALE)
    }

    fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0), self.1)
    }

    fn value<'a>(self) -> Value<'a> {
        Value::Decimal(i128::from(self.0), self.1)
    }
}

impl Held {
    fn of(event: &Event<'_>) -> Option<Self> {
        let envelope = &event.envelope;
        let fixed = vec![
            ("store_id", Some(envelope.store_id.to_owned())),
            ("customer_id", Some(envelope.customer_id.to_owned())),
            ("channel", Some(envelope.channel.to_owned())),
            ("is_test", Some(envelope.is_test.to_string())),
        ];
        match &event.body {
            Body::OrderLine(line) => Some(Self::of_line(fixed, line)),
            Body::Payment(payment) => Some(Self::of_payment(fixed, payment)),
            Body::Refund(refund) => Some(Self::of_refund(fixed, refund)),
            _ => None,
        }
    }

    fn of_line(mut fixed: Vec<(&'static str, Option<String>)>, line: &OrderLine<'_>) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        fixed.extend([
            ("order_id", Some(line.order_id.to_owned())),
            ("line_id", Some(line.line_id.to_owned())),
            ("movement", Some(line.movement.name().to_owned())),
            ("product_id", owned(line.product_id)),
            ("variant_id", owned(line.variant_id)),
            ("currency", Some(line.currency.to_string())),
        ]);
        let amounts = vec![
            ("quantity", Sum::of(line.quantity)),
            ("amount", Sum::of(line.gross)),
            ("discount", Sum::of(line.discount)),
            ("tax", Sum::of(line.tax)),
            ("shipping", Sum::of(line.shipping)),
        ];
        // A discount line is reversed by an adjustment, because a cancellation can only subtract.
        let is_sale = line.movement == Movement::Sale && line.gross.0 >= 0;
        Self { fixed, amounts, placed_at: Some(line.placed_at), is_sale, kind: String::new(), id: line.line_id.to_owned() }
    }

    fn of_payment(mut fixed: Vec<(&'static str, Option<String>)>, payment: &Payment<'_>) -> Self {
        fixed.extend([
            ("payment_id", Some(payment.payment_id.to_owned())),
            ("order_id", Some(payment.order_id.to_owned())),
            ("currency", Some(payment.currency.to_string())),
        ]);
        let amounts = vec![("amount", Sum::of(payment.amount))];
        let (kind, id) = (payment.kind.to_owned(), payment.payment_id.to_owned());
        Self { fixed, amounts, placed_at: None, is_sale: false, kind, id }
    }

    fn of_refund(mut fixed: Vec<(&'static str, Option<String>)>, refund: &Refund<'_>) -> Self {
        fixed.extend([
            ("refund_id", Some(refund.refund_id.to_owned())),
            ("order_id", Some(refund.order_id.to_owned())),
            ("currency", Some(refund.currency.to_string())),
            ("lines", refund.lines.map(str::to_owned)),
        ]);
        let amounts = vec![
            ("shipping", Sum::of(refund.shipping.unwrap_or_default())),
            ("adjustments", Sum::of(refund.adjustments.unwrap_or_default())),
        ];
        let id = refund.refund_id.to_owned();
        Self { fixed, amounts, placed_at: Some(refund.placed_at), is_sale: false, kind: String::new(), id }
    }
}

/// Validates a row against the contract.
fn held(change: &Change<'_>, rules: Rules<'_>, row: &mut Payload<'_>) -> Result<Held, DeadLetter> {
    if !rules.has(row, "occurred_at") {
        change.happened_then(rules, row);
    }
    let event = event::validate(rules.layout, row, rules.zone)?;
    Held::of(&event).ok_or_else(|| unsupported("op", "the contract holds no money"))
}

/// As [`held`], for the row before the change: fields that the database did not log are absent.
fn held_before(change: &Change<'_>, rules: Rules<'_>, row: &mut Payload<'_>) -> Result<Held, DeadLetter> {
    held(change, rules, row).map_err(|letter| {
        let field = format!("before.{}", letter.field);
        match letter.reason {
            Reason::MissingField => no_before(field, "the row as it was is not whole"),
            reason => DeadLetter::new(reason, field, letter.detail),
        }
    })
}

/// An update: `row` becomes the difference between itself and `before`.
pub(super) fn updated<'p>(
    change: &Change<'_>,
    rules: Rules<'_>,
    row: &mut Payload<'p>,
    before: &mut Payload<'p>,
) -> Result<(), DeadLetter> {
    let was = held_before(change, rules, before)?;
    let is = held(change, rules, row)?;
    if is.kind != was.kind {
        // Another kind of payment is another transaction with the key (payment, kind), so the whole row is its record.
        return Ok(());
    }
    for ((name, now), (_, then)) in is.fixed.iter().zip(&was.fixed) {
        if now != then || (*name == "lines" && now.is_some()) {
            return Err(unsupported(name, "the change is more than an amount: delete the row and insert another"));
        }
    }
    let differences: Vec<_> =
        is.amounts.iter().zip(&was.amounts).map(|((name, now), (_, then))| (*name, now.minus(*then))).collect();
    add(change, rules, row, &is, &differences, "adjustment");
    Ok(())
}

/// A deletion: `row` becomes its reversal.
pub(super) fn deleted(change: &Change<'_>, rules: Rules<'_>, row: &mut Payload<'_>) -> Result<(), DeadLetter> {
    let was = held_before(change, rules, row)?;
    if was.fixed.iter().any(|(name, value)| *name == "lines" && value.is_some()) {
        return Err(unsupported("lines", "a refund with lines is not taken back as a whole: send what goes back as order lines"));
    }
    if rules.layout.contract == Contract::OrderLine && was.amounts.iter().all(|(_, sum)| sum.0 == 0) {
        return Err(no_before("before", "a deletion of a line without its quantity and amount"));
    }
    let back: Vec<_> = was.amounts.iter().map(|(name, sum)| (*name, Sum(0, sum.1).minus(*sum))).collect();
    add(change, rules, row, &was, &back, if was.is_sale { "cancellation" } else { "adjustment" });
    rules.put(row, "status", Value::Text("deleted".into()));
    Ok(())
}

/// Makes `row` a movement of its own, identified by the position of the change in the source's log.
fn add(
    change: &Change<'_>,
    rules: Rules<'_>,
    row: &mut Payload<'_>,
    held: &Held,
    sums: &[(&'static str, Sum)],
    movement: &'static str,
) {
    for (name, sum) in sums {
        rules.put(row, name, sum.value());
    }
    let own = |separator: char, id: &str| Value::Text(Cow::Owned(format!("{}{separator}{id}", change.origin.position)));
    match rules.layout.contract {
        Contract::OrderLine => {
            rules.put(row, "movement", Value::Text(movement.into()));
            // The part after the last slash is the line id; slashes in ids are escaped.
            rules.put(row, "line_id", own('/', &held.id.replace('/', "%2F")));
        }
        Contract::Payment => {
            if !rules.has(row, "parent_id") {
                rules.put(row, "parent_id", Value::Text(Cow::Owned(held.id.clone())));
            }
            rules.put(row, "payment_id", own(':', &held.id));
        }
        _ => rules.put(row, "refund_id", own(':', &held.id)),
    }
    if let Some(placed_at) = held.placed_at {
        rules.put(row, "placed_at", Value::Micros(placed_at));
    }
}
