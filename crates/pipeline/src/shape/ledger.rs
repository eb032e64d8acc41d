//! The signed ledger: rows of `fact_sales` from lines, nested lines and refunds.

use kassa_model::star::fact_sales;
use kassa_model::{Amount, Currency, Key, Movement, Quantity};

use crate::decode::join_extra;
use crate::dimensions::Collision;
use crate::event::{Event, Order, OrderLine, Refund};
use crate::shape::Shaper;
use crate::shape::members::Said;
use crate::shape::nested::{Movements, NestedLine, negative};

/// The position, time and order of a movement.
struct Place<'p> {
    /// The row's `source_index`.
    nth: u32,
    order_id: &'p str,
    line_id: &'p str,
    placed_at: i64,
    customer: Key,
    address: (Key, Key),
}

/// The cells of a movement that differ from line to line.
struct Cells<'c> {
    movement: Movement,
    product: Key,
    currency: Currency,
    quantity: Quantity,
    list_price: Option<Amount>,
    unit_price: Option<Amount>,
    /// gross, discount, tax, shipping
    amounts: [Amount; 4],
    is_gift_card: bool,
    promotion: Option<&'c str>,
    extra: Option<&'c str>,
}

impl Shaper<'_> {
    pub(crate) fn order_line(&mut self, event: &Event<'_>, line: &OrderLine<'_>) -> Result<(), Collision> {
        let customer = self.customer(&event.envelope)?;
        let address = self.address(&line.ship_to)?;
        let place =
            Place { nth: 0, order_id: line.order_id, line_id: line.line_id, placed_at: line.placed_at, customer, address };
        let said = Said { sku: line.sku, name: line.name, brand: line.brand, category: line.category.as_deref() };
        let product = self.product(event.envelope.store_id, line.product_id, line.variant_id, said)?;
        let amounts = [line.gross, line.discount, line.tax, line.shipping];
        let cells = Cells {
            movement: line.movement,
            product,
            currency: line.currency,
            quantity: line.quantity,
            list_price: line.list_price,
            unit_price: line.unit_price,
            amounts,
            is_gift_card: line.is_gift_card,
            promotion: line.promotion,
            extra: event.extra,
        };
        self.movement(event, &place, &cells)
    }

    pub(crate) fn nested(&mut self, event: &Event<'_>, order: &Order<'_>, lines: &[NestedLine]) -> Result<(), Collision> {
        let customer = self.customer(&event.envelope)?;
        let address = self.address(&order.shipping)?;
        for line in lines {
            let address = match &line.row.ship_to {
                Some(destination) => self.address(&destination.address())?,
                None => address,
            };
            let (nth, order_id, placed_at) = (line.nth, order.order_id, order.placed_at);
            let place = Place { nth, order_id, line_id: &line.line_id, placed_at, customer, address };
            // Each nested line has its own hash, so that a later revision which repeats it adds nothing.
            self.lineage.content_hash = line.content_hash;
            self.nested_line(event, &place, &line.row, line.row.extra.as_deref())?;
        }
        self.lineage.content_hash = event.content_hash;
        Ok(())
    }

    pub(crate) fn refund(&mut self, event: &Event<'_>, refund: &Refund<'_>, lines: &[NestedLine]) -> Result<(), Collision> {
        let customer = self.customer(&event.envelope)?;
        let address = self.address(&refund.ship_to)?;
        let (order_id, placed_at) = (refund.order_id, refund.placed_at);
        // The refund's own unknown fields are in its first row only.
        let mut extra = event.extra;
        for line in lines {
            // The part after the last slash is the line id; slashes in ids are escaped.
            let line_id = format!("{}/{}", refund.refund_id, line.line_id.replace('/', "%2F"));
            let place = Place { nth: line.nth, order_id, line_id: &line_id, placed_at, customer, address };
            let own = join_extra(extra.take(), line.row.extra.as_deref());
            self.nested_line(event, &place, &line.row, own.as_deref())?;
        }
        // Amounts of the refund outside its lines. A refund without lines also gets a row.
        let beyond = refund.adjustments.is_some() || refund.shipping.is_some();
        if beyond || lines.is_empty() {
            let place = Place { nth: 0, order_id, line_id: refund.refund_id, placed_at, customer, address };
            let cells = Cells {
                movement: Movement::Adjustment,
                product: Key::UNKNOWN,
                currency: refund.currency,
                quantity: Quantity::ZERO,
                list_price: None,
                unit_price: None,
                amounts: [negative(refund.adjustments), Amount::ZERO, Amount::ZERO, negative(refund.shipping)],
                is_gift_card: false,
                promotion: None,
                extra,
            };
            self.movement(event, &place, &cells)?;
        }
        Ok(())
    }

    fn nested_line(
        &mut self,
        event: &Event<'_>,
        place: &Place<'_>,
        line: &Movements,
        extra: Option<&str>,
    ) -> Result<(), Collision> {
        let [sku, name, brand, category] = line.said.each_ref().map(Option::as_deref);
        let said = Said { sku, name, brand, category };
        let (product, variant) = (line.product.0.as_deref(), line.product.1.as_deref());
        let cells = Cells {
            movement: line.movement,
            product: self.product(event.envelope.store_id, product, variant, said)?,
            currency: line.currency,
            quantity: line.quantity,
            list_price: line.list_price,
            unit_price: line.unit_price,
            amounts: line.amounts,
            is_gift_card: line.is_gift_card,
            promotion: line.promotion.as_deref(),
            extra,
        };
        self.movement(event, place, &cells)
    }

    fn movement(&mut self, event: &Event<'_>, place: &Place<'_>, cells: &Cells<'_>) -> Result<(), Collision> {
        let envelope = &event.envelope;
        let channel = self.channel(envelope.channel)?;
        let promotion = self.promotion(cells.promotion)?;
        self.currency(Some(cells.currency))?;
        let order_key = self.key("order", envelope.store_id, place.order_id);
        let moved_day = self.memory.calendar.date_key(envelope.occurred_at);
        let is_same_time = place.placed_at == envelope.occurred_at;
        let order_day = if is_same_time { moved_day } else { self.memory.calendar.date_key(place.placed_at) };
        let [gross, discount, tax, shipping] = cells.amounts;
        let origin = self.origin(place.nth);
        let is_future = self.is_future();
        self.rows.add(&fact_sales::Row {
            order_id: place.order_id,
            line_id: place.line_id,
            movement: cells.movement.name(),
            order_key,
            order_date_key: order_day,
            movement_date_key: moved_day,
            ordered_at: place.placed_at,
            moved_at: envelope.occurred_at,
            customer_key: place.customer,
            product_key: cells.product,
            channel_key: channel,
            promotion_key: promotion,
            ship_address_key: place.address.0,
            ship_country_key: place.address.1,
            currency: cells.currency.code(),
            quantity: cells.quantity,
            unit_price: cells.unit_price,
            gross_amount: gross,
            discount_amount: discount,
            tax_amount: tax,
            shipping_amount: shipping,
            net_amount: Amount::from_units(gross.0 - discount.0),
            is_test: envelope.is_test,
            is_gift_card: cells.is_gift_card,
            is_future,
            session_id: envelope.session_id,
            extra: cells.extra,
            list_price: cells.list_price,
            lineage: origin.row(),
        });
        Ok(())
    }
}
