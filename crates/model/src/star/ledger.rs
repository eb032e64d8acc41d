//! Facts about money: the sales ledger, orders, payments.

use super::declare::columns;
use super::kind::{Symbol, Text, Timestamp};
use super::shared::lineage;
use crate::{Amount, Key, Quantity};

columns! {
    /// One signed movement of one order line: the ledger from which every revenue figure is a sum.
    fact_sales with lineage {
        /// Id of the order, as stated.
        order_id: Text,
        /// Id of the line within its order; of a refund's line `refund_id/line_id`.
        line_id: Text,
        /// `sale`, `return`, `cancellation` or `adjustment`.
        movement: Symbol,
        /// Key of the order, as in `fact_order`.
        order_key: Key,
        /// The shop's day on which the order was placed, yyyymmdd.
        order_date_key: i32,
        /// The shop's day of the movement, yyyymmdd.
        movement_date_key: i32,
        /// When the order was placed.
        ordered_at: Timestamp,
        /// When the movement happened.
        moved_at: Timestamp,
        /// Key of the customer in `dim_customer`; 0 is unknown.
        customer_key: Key,
        /// Key of the product in `dim_product`; 0 is unknown.
        product_key: Key,
        /// Key of the channel in `dim_channel`; 0 is unknown.
        channel_key: Key,
        /// Key of the line's promotion in `dim_promotion`; 0 is none.
        promotion_key: Key,
        /// Key of the shipping address in `dim_address`; 0 is unknown.
        ship_address_key: Key,
        /// Key of the country of the shipping address in `dim_country`; 0 is unknown.
        ship_country_key: Key,
        /// Currency of all amounts of the row, ISO 4217.
        currency: Symbol,
        /// Units, signed like the movement.
        quantity: Quantity,
        /// Price of one unit before the line's discount, in `currency`.
        unit_price: Option<Amount>,
        /// Price times quantity before discounts, in `currency`, signed like the movement.
        gross_amount: Amount,
        /// Discounts, in `currency`, signed like the movement.
        discount_amount: Amount,
        /// Tax, in `currency`, signed like the movement.
        tax_amount: Amount,
        /// Shipping, in `currency`, signed like the movement.
        shipping_amount: Amount,
        /// `gross_amount` minus `discount_amount`, in `currency`.
        net_amount: Amount,
        /// Whether the source marks the record as a test; figures leave tests out.
        is_test: bool,
        /// Whether the line sells a gift card.
        is_gift_card: bool,
        /// Whether the record's time is more than a day later than its receipt.
        is_future: bool,
        /// Id of the session in which the order was placed.
        session_id: Option<Text>,
        /// Fields that the contract does not have, and values that could not be used: a JSON object.
        extra: Option<Text>,
        /// Price of one unit without any reduction, in `currency`.
        list_price: Option<Amount>,
    }

    /// One revision of one order.
    fact_order with lineage {
        /// Id of the order, as stated.
        order_id: Text,
        /// Key of the order.
        order_key: Key,
        /// Revision of the order; the highest one holds.
        revision: i64,
        /// The shop's day on which the order was placed, yyyymmdd.
        order_date_key: i32,
        /// State of the order, as stated.
        status: Option<Symbol>,
        /// State of its payment, as stated.
        financial_status: Option<Symbol>,
        /// State of its delivery, as stated.
        fulfilment_status: Option<Symbol>,
        /// Time of this revision.
        occurred_at: Timestamp,
        /// When the order was placed.
        placed_at: Timestamp,
        /// When the shop processed the order.
        processed_at: Option<Timestamp>,
        /// When the order was paid.
        paid_at: Option<Timestamp>,
        /// When the order was cancelled.
        cancelled_at: Option<Timestamp>,
        /// When the order was closed.
        closed_at: Option<Timestamp>,
        /// Why the order was cancelled, as stated.
        cancel_reason: Option<Text>,
        /// Key of the customer in `dim_customer`; 0 is unknown.
        customer_key: Key,
        /// Key of the channel in `dim_channel`; 0 is unknown.
        channel_key: Key,
        /// Key of the order's first coupon in `dim_promotion`; 0 is none.
        promotion_key: Key,
        /// Key of the billing address in `dim_address`; 0 is unknown.
        billing_address_key: Key,
        /// Key of the shipping address in `dim_address`; 0 is unknown.
        ship_address_key: Key,
        /// Key of the country of the shipping address in `dim_country`; 0 is unknown.
        ship_country_key: Key,
        /// Currency in which the customer saw the prices, and of all amounts of the row, ISO 4217.
        currency: Option<Symbol>,
        /// Currency of the shop's books, as stated, ISO 4217.
        shop_currency: Option<Symbol>,
        /// Whether the prices include tax.
        tax_included: Option<bool>,
        /// Sum of the lines, as stated, in `currency`.
        subtotal: Option<Amount>,
        /// Discounts on the whole order, as stated, in `currency`.
        discount: Option<Amount>,
        /// Tax, as stated, in `currency`.
        tax: Option<Amount>,
        /// Shipping, as stated, in `currency`.
        shipping: Option<Amount>,
        /// Customs duty, as stated, in `currency`.
        duty: Option<Amount>,
        /// Tip, as stated, in `currency`.
        tip: Option<Amount>,
        /// Amount paid by gift cards, as stated, in `currency`.
        gift_card: Option<Amount>,
        /// Total of the order, as stated, in `currency`.
        total: Option<Amount>,
        /// Coupon codes, separated by commas.
        coupons: Option<Text>,
        /// Where the customer came from, as stated: JSON.
        attribution: Option<Text>,
        /// Whether the source marks the record as a test; figures leave tests out.
        is_test: bool,
        /// Whether the record's time is more than a day later than its receipt.
        is_future: bool,
        /// Whether the nested lines contradict `subtotal` by more than a minor unit per line.
        lines_differ: bool,
        /// Id of the session in which the order was placed.
        session_id: Option<Text>,
        /// Fields that the contract does not have, and values that could not be used: a JSON object.
        extra: Option<Text>,
    }

    /// One payment transaction.
    fact_payment with lineage {
        /// Id of the transaction, as stated.
        payment_id: Text,
        /// Id of the order that is paid.
        order_id: Text,
        /// Key of the order, as in `fact_order`.
        order_key: Key,
        /// `authorization`, `capture`, `sale`, `void`, `refund` or `chargeback`.
        kind: Symbol,
        /// Id of the transaction to which this one belongs, such as a capture to its authorization.
        parent_id: Option<Text>,
        /// State of the transaction, as stated.
        status: Option<Symbol>,
        /// Payment service, as stated.
        gateway: Option<Symbol>,
        /// Key of the method in `dim_payment_method`; 0 is unknown.
        payment_method_key: Key,
        /// Key of the customer in `dim_customer`; 0 is unknown.
        customer_key: Key,
        /// Key of the channel in `dim_channel`; 0 is unknown.
        channel_key: Key,
        /// The shop's day of the transaction, yyyymmdd.
        payment_date_key: i32,
        /// When the transaction happened.
        occurred_at: Timestamp,
        /// Amount of the transaction, in `currency`.
        amount: Amount,
        /// Currency of `amount`, ISO 4217.
        currency: Symbol,
        /// Number of instalments.
        instalments: Option<i64>,
        /// Number of the transaction within its order, as stated.
        sequence: Option<i64>,
        /// Whether the source marks the record as a test; figures leave tests out.
        is_test: bool,
        /// Whether the record's time is more than a day later than its receipt.
        is_future: bool,
        /// Fields that the contract does not have, and values that could not be used: a JSON object.
        extra: Option<Text>,
    }
}
