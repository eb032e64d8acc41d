//! Rows of the facts other than the ledger.

use kassa_model::star::{fact_event, fact_fx_rate, fact_inventory, fact_order, fact_payment};
use kassa_model::{Currency, Key};

use crate::dimensions::Collision;
use crate::event::{Behaviour, Event, FxRate, Inventory, Order, Payment};
use crate::shape::members::Said;
use crate::shape::{Lines, Shaper};

fn code(currency: Option<&Currency>) -> Option<&'static str> {
    currency.map(Currency::code)
}

impl Shaper<'_> {
    pub(crate) fn behaviour(&mut self, event: &Event<'_>, behaviour: &Behaviour<'_>) -> Result<(), Collision> {
        let envelope = &event.envelope;
        let customer = self.customer(envelope)?;
        // A person with a customer id is that customer; others are distinguished by their anonymous id.
        let person = if customer == Key::UNKNOWN {
            self.key("visitor", envelope.store_id, envelope.anonymous_id.unwrap_or_default())
        } else {
            customer
        };
        let session = self.key("session", envelope.store_id, envelope.session_id.unwrap_or_default());
        let product = self.product(envelope.store_id, behaviour.product_id, None, Said::default())?;
        let channel = self.channel(envelope.channel)?;
        let country = self.country(behaviour.country)?;
        self.currency(behaviour.currency)?;
        let day = self.memory.calendar.date_key(envelope.occurred_at);
        let order_key = self.key("order", envelope.store_id, behaviour.order_id.unwrap_or_default());
        let [utm_source, utm_medium, utm_campaign, utm_term, utm_content] = behaviour.utm;
        let origin = self.origin(0);
        let is_future = self.is_future();
        self.rows.add(&fact_event::Row {
            r#type: behaviour.kind,
            custom_type: behaviour.custom_kind,
            event_date_key: day,
            occurred_at: envelope.occurred_at,
            customer_key: customer,
            person_key: person,
            session_key: session,
            session_id: envelope.session_id,
            anonymous_id: envelope.anonymous_id,
            product_key: product,
            channel_key: channel,
            country_key: country,
            quantity: behaviour.quantity,
            price: behaviour.price,
            currency: code(behaviour.currency.as_ref()),
            url: behaviour.url,
            referrer: behaviour.referrer,
            utm_source,
            utm_medium,
            utm_campaign,
            utm_term,
            utm_content,
            device: behaviour.device,
            search_query: behaviour.search_query,
            list_id: behaviour.list_id,
            position: behaviour.position,
            cart_id: behaviour.cart_id,
            checkout_id: behaviour.checkout_id,
            order_id: behaviour.order_id,
            order_key,
            is_test: envelope.is_test,
            is_bot: envelope.is_bot,
            is_future,
            extra: event.extra,
            lineage: origin.row(),
        });
        Ok(())
    }

    pub(crate) fn order(&mut self, event: &Event<'_>, order: &Order<'_>, lines: &Lines) -> Result<(), Collision> {
        let envelope = &event.envelope;
        let customer = self.customer(envelope)?;
        let channel = self.channel(envelope.channel)?;
        let promotion = self.promotion(order.coupons.as_deref().and_then(|coupons| coupons.split(',').next()))?;
        let (billing, _) = self.address(&order.billing)?;
        let (ship_to, country) = self.address(&order.shipping)?;
        self.currency(order.currency)?;
        self.currency(order.shop_currency)?;
        let order_key = self.key("order", envelope.store_id, order.order_id);
        let day = self.memory.calendar.date_key(order.placed_at);
        let [subtotal, discount, tax, shipping, duty, tip, gift_card, total] = order.amounts;
        let [processed_at, paid_at, cancelled_at, closed_at] = order.milestones;
        let [status, financial_status, fulfilment_status] = order.statuses;
        let origin = self.origin(0);
        let is_future = self.is_future();
        self.rows.add(&fact_order::Row {
            order_id: order.order_id,
            order_key,
            revision: order.revision,
            order_date_key: day,
            status,
            financial_status,
            fulfilment_status,
            occurred_at: envelope.occurred_at,
            placed_at: order.placed_at,
            processed_at,
            paid_at,
            cancelled_at,
            closed_at,
            cancel_reason: order.cancel_reason,
            customer_key: customer,
            channel_key: channel,
            promotion_key: promotion,
            billing_address_key: billing,
            ship_address_key: ship_to,
            ship_country_key: country,
            currency: code(order.currency.as_ref()),
            shop_currency: code(order.shop_currency.as_ref()),
            tax_included: order.tax_included,
            subtotal,
            discount,
            tax,
            shipping,
            duty,
            tip,
            gift_card,
            total,
            coupons: order.coupons.as_deref(),
            attribution: order.attribution,
            is_test: envelope.is_test,
            is_future,
            lines_differ: lines.differ,
            session_id: envelope.session_id,
            extra: event.extra,
            lineage: origin.row(),
        });
        self.nested(event, order, &lines.fresh)
    }

    pub(crate) fn payment(&mut self, event: &Event<'_>, payment: &Payment<'_>) -> Result<(), Collision> {
        let envelope = &event.envelope;
        let customer = self.customer(envelope)?;
        let channel = self.channel(envelope.channel)?;
        let method = self.payment_method(payment.method)?;
        self.currency(Some(payment.currency))?;
        let order_key = self.key("order", envelope.store_id, payment.order_id);
        let day = self.memory.calendar.date_key(envelope.occurred_at);
        let origin = self.origin(0);
        let is_future = self.is_future();
        self.rows.add(&fact_payment::Row {
            payment_id: payment.payment_id,
            order_id: payment.order_id,
            order_key,
            kind: payment.kind,
            parent_id: payment.parent_id,
            status: payment.status,
            gateway: payment.gateway,
            payment_method_key: method,
            customer_key: customer,
            channel_key: channel,
            payment_date_key: day,
            occurred_at: envelope.occurred_at,
            amount: payment.amount,
            currency: payment.currency.code(),
            instalments: payment.instalments,
            sequence: payment.sequence,
            is_test: envelope.is_test,
            is_future,
            extra: event.extra,
            lineage: origin.row(),
        });
        Ok(())
    }

    pub(crate) fn inventory(&mut self, event: &Event<'_>, inventory: &Inventory<'_>) -> Result<(), Collision> {
        let product = self.product(event.envelope.store_id, Some(inventory.product_id), inventory.variant_id, Said::default())?;
        let day = self.memory.calendar.date_key(event.envelope.occurred_at);
        let origin = self.origin(0);
        self.rows.add(&fact_inventory::Row {
            product_key: product,
            location: inventory.location,
            inventory_date_key: day,
            occurred_at: event.envelope.occurred_at,
            level: inventory.level,
            extra: event.extra,
            lineage: origin.row(),
        });
        Ok(())
    }

    pub(crate) fn fx_rate(&mut self, event: &Event<'_>, rate: &FxRate) -> Result<(), Collision> {
        self.currency(Some(rate.base))?;
        self.currency(Some(rate.quote))?;
        let origin = self.origin(0);
        self.rows.add(&fact_fx_rate::Row {
            base: rate.base.code(),
            quote: rate.quote.code(),
            rate_date_key: rate.day,
            rate: rate.rate,
            occurred_at: event.envelope.occurred_at,
            lineage: origin.row(),
        });
        Ok(())
    }
}
