//! The signed ledger: rows of `fact_sales` from lines, nested lines and refunds.

use kassa_model::contract::{Field, REFUND_LINE};
use kassa_model::{Amount, Contract, Currency, DeadLetter, Key, Quantity, Reason, Table};
use serde_json::value::RawValue;

use crate::decode::{self, Layout, Payload};
use crate::dimensions::{Collision, Said};
use crate::event::{self, Body, Event, Movement, Order, OrderLine, Refund};
use crate::rates::Reporting;
use crate::shape::Shaper;

/// A line inside an order or a refund, checked.
#[derive(Debug)]
pub struct NestedLine<'r> {
    pub line_id: String,
    pub content_hash: i64,
    row: Movements<'r>,
}

impl NestedLine<'_> {
    /// Net units of 10^-6.
    pub(crate) fn net(&self) -> i64 {
        self.row.amounts[0].0 - self.row.amounts[1].0
    }
}

/// What one row of the ledger holds, but for what it takes from its record.
#[derive(Debug)]
struct Movements<'r> {
    movement: Movement,
    product: (Option<String>, Option<String>),
    said: [Option<String>; 4],
    currency: Currency,
    quantity: Quantity,
    unit_price: Option<Amount>,
    /// gross, discount, tax, shipping: signed like the movement
    amounts: [Amount; 4],
    is_gift_card: bool,
    promotion: Option<&'r str>,
}

/// Where and when the movement belongs.
struct Place<'p> {
    order_id: &'p str,
    line_id: &'p str,
    placed_at: i64,
    customer: Key,
    address: (Key, Key),
}

fn negative(amount: Option<Amount>) -> Amount {
    Amount::from_units(-amount.unwrap_or_default().0)
}

/// Reads and checks the nested lines of an order or a refund. An error names the line: `lines[2].quantity`.
pub fn nested_lines<'r>(event: &Event<'_>, zone: &jiff::tz::TimeZone) -> Result<Vec<NestedLine<'r>>, DeadLetter> {
    match &event.body {
        Body::Order(order) => order_lines(event, order, zone),
        Body::Refund(refund) => refund_lines(refund, zone),
        _ => Ok(Vec::new()),
    }
}

/// More lines than this in one record are taken for a bomb.
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

fn at_line(at: usize, letter: DeadLetter) -> DeadLetter {
    let field = if letter.field.is_empty() { format!("lines[{at}]") } else { format!("lines[{at}].{}", letter.field) };
    DeadLetter { field: field.into(), ..letter }
}

fn order_lines<'r>(event: &Event<'_>, order: &Order<'_>, zone: &jiff::tz::TimeZone) -> Result<Vec<NestedLine<'r>>, DeadLetter> {
    let lines = raw_lines(order.lines)?;
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let layout = Layout::new(Contract::OrderLine);
    let inherited = |name: &str| match name {
        "order_id" => Some(order.order_id.to_owned()),
        "occurred_at" => Some(event.envelope.occurred_at.to_string()),
        "currency" => order.currency.map(|currency| currency.to_string()),
        _ => None,
    };
    let mut checked = Vec::with_capacity(lines.len());
    for (at, raw) in lines.iter().enumerate() {
        let mut payload = Payload::new(&layout);
        decode::json(&layout, raw.get().as_bytes(), &mut payload).map_err(|letter| at_line(at, letter))?;
        for (slot, name) in layout.names.iter().enumerate() {
            if payload.slots[slot] == decode::Value::Absent
                && let Some(value) = inherited(name)
            {
                payload.slots[slot] = if name == "occurred_at" {
                    decode::Value::Micros(event.envelope.occurred_at)
                } else {
                    decode::Value::Text(value.into())
                };
            }
        }
        let line = event::validate(&layout, &payload, zone).map_err(|letter| at_line(at, letter))?;
        if let Body::OrderLine(body) = &line.body {
            checked.push(NestedLine {
                line_id: body.line_id.to_owned(),
                content_hash: line.content_hash,
                row: Movements { promotion: None, ..movements(body) },
            });
        }
    }
    Ok(checked)
}

fn movements<'r>(line: &OrderLine<'r>) -> Movements<'r> {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Movements {
        movement: line.movement,
        product: (owned(line.product_id), owned(line.variant_id)),
        said: [owned(line.sku), owned(line.name), owned(line.brand), line.category.clone()],
        currency: line.currency,
        quantity: line.quantity,
        unit_price: line.unit_price,
        amounts: [line.gross, line.discount, line.tax, line.shipping],
        is_gift_card: line.is_gift_card,
        promotion: line.promotion,
    }
}

/// A layout that has a refund line's fields only.
fn refund_line_layout() -> Layout {
    Layout::of_fields(Contract::Refund, REFUND_LINE.iter().map(|field: &Field| (field.name, field.kind)))
}

fn refund_lines<'r>(refund: &Refund<'_>, zone: &jiff::tz::TimeZone) -> Result<Vec<NestedLine<'r>>, DeadLetter> {
    let lines = raw_lines(refund.lines)?;
    let layout = refund_line_layout();
    let mut checked = Vec::with_capacity(lines.len());
    for (at, raw) in lines.iter().enumerate() {
        let mut payload = Payload::new(&layout);
        decode::json(&layout, raw.get().as_bytes(), &mut payload).map_err(|letter| at_line(at, letter))?;
        let mut r = crate::validate::Reader::new(&layout, &payload, zone);
        let line = event::refund_line(&mut r).map_err(|letter| at_line(at, letter))?;
        let content_hash = r.content_hash();
        checked.push(NestedLine {
            line_id: line.line_id.to_owned(),
            content_hash,
            row: Movements {
                movement: Movement::Return,
                product: (line.product_id.map(str::to_owned), None),
                said: [None, None, None, None],
                currency: refund.currency,
                quantity: Quantity::from_units(-line.quantity.0),
                unit_price: None,
                amounts: [negative(Some(line.amount)), Amount::ZERO, negative(line.tax), Amount::ZERO],
                is_gift_card: false,
                promotion: None,
            },
        });
    }
    Ok(checked)
}

impl Shaper<'_> {
    pub(crate) fn order_line(&mut self, event: &Event<'_>, line: &OrderLine<'_>) -> Result<(), Collision> {
        let customer = self.customer(event.envelope.store_id, event.envelope.customer_id)?;
        let address = self.address(&line.ship_to)?;
        let place = Place { order_id: line.order_id, line_id: line.line_id, placed_at: line.placed_at, customer, address };
        let said = Said { sku: line.sku, name: line.name, brand: line.brand, category: line.category.as_deref() };
        let product = self.product(event.envelope.store_id, line.product_id, line.variant_id, said)?;
        let amounts = [line.gross, line.discount, line.tax, line.shipping];
        let cells = Cells {
            movement: line.movement,
            product,
            currency: line.currency,
            quantity: line.quantity,
            unit_price: line.unit_price,
            amounts,
            is_gift_card: line.is_gift_card,
            promotion: line.promotion,
        };
        self.movement(event, &place, &cells)
    }

    pub(crate) fn nested(&mut self, event: &Event<'_>, order: &Order<'_>, lines: &[NestedLine<'_>]) -> Result<(), Collision> {
        let customer = self.customer(event.envelope.store_id, event.envelope.customer_id)?;
        let address = self.address(&order.shipping)?;
        for line in lines {
            let place = Place { order_id: order.order_id, line_id: &line.line_id, placed_at: order.placed_at, customer, address };
            // Each nested line is known by itself, so that a later revision which repeats it adds nothing.
            self.lineage.content_hash = line.content_hash;
            self.nested_line(event, &place, &line.row)?;
        }
        self.lineage.content_hash = event.content_hash;
        Ok(())
    }

    pub(crate) fn refund(&mut self, event: &Event<'_>, refund: &Refund<'_>, lines: &[NestedLine<'_>]) -> Result<(), Collision> {
        let customer = self.customer(event.envelope.store_id, event.envelope.customer_id)?;
        let address = self.address(&refund.ship_to)?;
        for line in lines {
            let line_id = format!("{}/{}", refund.refund_id, line.line_id);
            let place = Place { order_id: refund.order_id, line_id: &line_id, placed_at: refund.placed_at, customer, address };
            self.nested_line(event, &place, &line.row)?;
        }
        // What a refund gives back beyond its lines, and so that each accepted refund leaves a row, an empty one too.
        let beyond = refund.adjustments.is_some() || refund.shipping.is_some();
        if beyond || lines.is_empty() {
            let place =
                Place { order_id: refund.order_id, line_id: refund.refund_id, placed_at: refund.placed_at, customer, address };
            let cells = Cells {
                movement: Movement::Adjustment,
                product: Key::UNKNOWN,
                currency: refund.currency,
                quantity: Quantity::ZERO,
                unit_price: None,
                amounts: [negative(refund.adjustments), Amount::ZERO, Amount::ZERO, negative(refund.shipping)],
                is_gift_card: false,
                promotion: None,
            };
            self.movement(event, &place, &cells)?;
        }
        Ok(())
    }

    fn nested_line(&mut self, event: &Event<'_>, place: &Place<'_>, line: &Movements<'_>) -> Result<(), Collision> {
        let [sku, name, brand, category] = line.said.each_ref().map(Option::as_deref);
        let said = Said { sku, name, brand, category };
        let product = self.product(event.envelope.store_id, line.product.0.as_deref(), line.product.1.as_deref(), said)?;
        let cells = Cells {
            movement: line.movement,
            product,
            currency: line.currency,
            quantity: line.quantity,
            unit_price: line.unit_price,
            amounts: line.amounts,
            is_gift_card: line.is_gift_card,
            promotion: line.promotion,
        };
        self.movement(event, place, &cells)
    }

    #[rustfmt::skip]
    fn movement(&mut self, event: &Event<'_>, place: &Place<'_>, cells: &Cells<'_>) -> Result<(), Collision> {
        let envelope = &event.envelope;
        let channel = self.channel(envelope.channel)?;
        let promotion = self.promotion(cells.promotion)?;
        self.currency(Some(cells.currency))?;
        let order_key = Key::of("order", &[envelope.store_id, place.order_id]);
        let (order_day, moved_day) = (self.memory.calendar.date_key(place.placed_at), self.memory.calendar.date_key(envelope.occurred_at));
        let [gross, discount, tax, shipping] = cells.amounts;
        let reporting = Reporting::of(cells.amounts, self.memory.rates.rate(cells.currency, moved_day));
        let is_future = self.is_future();
        self.add(Table::FactSales, |row, moved_at| {
            row.text(place.order_id).text(place.line_id).text(cells.movement.name()).key(order_key)
                .i32(order_day).i32(moved_day).i64(place.placed_at).i64(moved_at)
                .key(place.customer).key(cells.product).key(channel).key(promotion).key(place.address.0).key(place.address.1)
                .text(cells.currency.code()).decimal(cells.quantity).decimal(cells.unit_price)
                .decimal(gross).decimal(discount).decimal(tax).decimal(shipping).decimal(Amount::from_units(gross.0 - discount.0))
                .decimal(reporting.gross).decimal(reporting.discount).decimal(reporting.tax).decimal(reporting.shipping)
                .decimal(reporting.net).decimal(reporting.rate)
                .bool(envelope.is_test).bool(cells.is_gift_card).bool(is_future)
                .text(envelope.session_id).text(event.extra)
        });
        Ok(())
    }
}

/// The cells of a movement that differ from line to line.
struct Cells<'c> {
    movement: Movement,
    product: Key,
    currency: Currency,
    quantity: Quantity,
    unit_price: Option<Amount>,
    /// gross, discount, tax, shipping
    amounts: [Amount; 4],
    is_gift_card: bool,
    promotion: Option<&'c str>,
}
