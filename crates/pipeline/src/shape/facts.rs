//! Rows of the facts other than the ledger.

use kassa_model::{Key, Table};

use crate::dimensions::{Collision, Said};
use crate::event::{Behaviour, Event, FxRate, Inventory, Order, Payment};
use crate::shape::{Lines, Shaper};

impl Shaper<'_> {
    #[rustfmt::skip]
    pub(crate) fn behaviour(&mut self, event: &Event<'_>, behaviour: &Behaviour<'_>) -> Result<(), Collision> {
        let envelope = &event.envelope;
        let customer = self.customer(envelope)?;
        // Whoever is known by name is that customer; others are told apart by their anonymous id.
        let person = if customer == Key::UNKNOWN {
            Key::of("visitor", &[envelope.store_id, envelope.anonymous_id.unwrap_or_default()])
        } else {
            customer
        };
        let session = Key::of("session", &[envelope.store_id, envelope.session_id.unwrap_or_default()]);
        let product = self.product(envelope.store_id, behaviour.product_id, None, Said::default())?;
        let channel = self.channel(envelope.channel)?;
        let country = self.country(behaviour.country)?;
        self.currency(behaviour.currency)?;
        let day = self.memory.calendar.date_key(envelope.occurred_at);
        let order_key = Key::of("order", &[envelope.store_id, behaviour.order_id.unwrap_or_default()]);
        let [source, medium, campaign, term, content] = behaviour.utm;
        let is_future = self.is_future();
        self.fact(Table::FactEvent, 0, |row, occurred_at| {
            row.text(behaviour.kind).text(behaviour.custom_kind).i32(day).i64(occurred_at)
                .key(customer).key(person).key(session).text(envelope.session_id).text(envelope.anonymous_id).key(product)
                .key(channel).key(country).decimal(behaviour.quantity).decimal(behaviour.price).text(behaviour.currency.as_ref().map(|c| c.code()))
                .text(behaviour.url).text(behaviour.referrer).text(source).text(medium).text(campaign)
                .text(term).text(content).text(behaviour.device).text(behaviour.search_query).text(behaviour.list_id)
                .i64(behaviour.position).text(behaviour.cart_id).text(behaviour.checkout_id).text(behaviour.order_id).key(order_key)
                .bool(envelope.is_test).bool(envelope.is_bot).bool(is_future).text(event.extra)
        });
        Ok(())
    }

    #[rustfmt::skip]
    pub(crate) fn order(&mut self, event: &Event<'_>, order: &Order<'_>, lines: &Lines) -> Result<(), Collision> {
        let envelope = &event.envelope;
        let customer = self.customer(envelope)?;
        let channel = self.channel(envelope.channel)?;
        let promotion = self.promotion(order.coupons.as_deref().and_then(|coupons| coupons.split(',').next()))?;
        let (billing, _) = self.address(&order.billing)?;
        let (shipping, country) = self.address(&order.shipping)?;
        self.currency(order.currency)?;
        self.currency(order.shop_currency)?;
        let order_key = Key::of("order", &[envelope.store_id, order.order_id]);
        let day = self.memory.calendar.date_key(order.placed_at);
        let [subtotal, discount, tax, ship, duty, tip, gift, total] = order.amounts;
        let [processed, paid, cancelled, closed] = order.milestones;
        let [status, financial, fulfilment] = order.statuses;
        let is_future = self.is_future();
        self.fact(Table::FactOrder, 0, |row, occurred_at| {
            row.text(order.order_id).key(order_key).i64(order.revision).i32(day)
                .text(status).text(financial).text(fulfilment)
                .i64(occurred_at).i64(order.placed_at).i64(processed).i64(paid)
                .i64(cancelled).i64(closed).text(order.cancel_reason)
                .key(customer).key(channel).key(promotion).key(billing).key(shipping)
                .key(country).text(order.currency.as_ref().map(|c| c.code())).text(order.shop_currency.as_ref().map(|c| c.code())).bool(order.tax_included)
                .decimal(subtotal).decimal(discount).decimal(tax).decimal(ship).decimal(duty)
                .decimal(tip).decimal(gift).decimal(total)
                .text(order.coupons.as_deref()).text(order.attribution)
                .bool(envelope.is_test).bool(is_future).bool(lines.differ)
                .text(envelope.session_id).text(event.extra)
        });
        self.nested(event, order, &lines.fresh)
    }

    #[rustfmt::skip]
    pub(crate) fn payment(&mut self, event: &Event<'_>, payment: &Payment<'_>) -> Result<(), Collision> {
        let envelope = &event.envelope;
        let customer = self.customer(envelope)?;
        let channel = self.channel(envelope.channel)?;
        let method = self.payment_method(payment.method)?;
        self.currency(Some(payment.currency))?;
        let order_key = Key::of("order", &[envelope.store_id, payment.order_id]);
        let day = self.memory.calendar.date_key(envelope.occurred_at);
        let is_future = self.is_future();
        self.fact(Table::FactPayment, 0, |row, occurred_at| {
            row.text(payment.payment_id).text(payment.order_id).key(order_key).text(payment.kind).text(payment.parent_id)
                .text(payment.status).text(payment.gateway).key(method).key(customer).key(channel)
                .i32(day).i64(occurred_at).decimal(payment.amount).text(payment.currency.code())
                .i64(payment.instalments).i64(payment.sequence)
                .bool(envelope.is_test).bool(is_future).text(event.extra)
        });
        Ok(())
    }

    pub(crate) fn inventory(&mut self, event: &Event<'_>, inventory: &Inventory<'_>) -> Result<(), Collision> {
        let product = self.product(event.envelope.store_id, Some(inventory.product_id), inventory.variant_id, Said::default())?;
        let day = self.memory.calendar.date_key(event.envelope.occurred_at);
        self.fact(Table::FactInventory, 0, |row, occurred_at| {
            row.key(product).text(inventory.location).i32(day).i64(occurred_at).decimal(inventory.level).text(event.extra)
        });
        Ok(())
    }

    pub(crate) fn fx_rate(&mut self, _event: &Event<'_>, rate: &FxRate) -> Result<(), Collision> {
        self.currency(Some(rate.base))?;
        self.currency(Some(rate.quote))?;
        self.fact(Table::FactFxRate, 0, |row, occurred_at| {
            row.text(rate.base.code()).text(rate.quote.code()).i32(rate.day).decimal(rate.rate).i64(occurred_at)
        });
        Ok(())
    }
}
