//! Facts about behaviour, stock and rates.

use super::declare::columns;
use super::kind::{Symbol, Text, Timestamp};
use super::shared::lineage;
use crate::{Amount, Key, Quantity, Rate};

columns! {
    /// One behaviour event.
    fact_event with lineage {
        /// What happened, as `page_viewed` or `product_added`; `custom` for a type that kassa does not have.
        r#type: Symbol,
        /// The stated type of a `custom` event.
        custom_type: Option<Symbol>,
        /// The shop's day of the event, yyyymmdd.
        event_date_key: i32,
        /// When the event happened.
        occurred_at: Timestamp,
        /// Key of the customer in `dim_customer`; 0 is unknown.
        customer_key: Key,
        /// Key of the person: `customer_key`, or else a key of the anonymous id; 0 is unknown.
        person_key: Key,
        /// Key of the session id, as in `fact_session`; 0 is unknown.
        session_key: Key,
        /// Id of the session, as stated.
        session_id: Option<Text>,
        /// Id of a visitor who is not known as a customer, as stated.
        anonymous_id: Option<Text>,
        /// Key of the product in `dim_product`; 0 is none.
        product_key: Key,
        /// Key of the channel in `dim_channel`; 0 is unknown.
        channel_key: Key,
        /// Key of the country in `dim_country`; 0 is unknown.
        country_key: Key,
        /// Units of the product.
        quantity: Option<Quantity>,
        /// Price of one unit, in `currency`.
        price: Option<Amount>,
        /// Currency of `price`, ISO 4217.
        currency: Option<Symbol>,
        /// Address of the page.
        url: Option<Text>,
        /// Address of the page before.
        referrer: Option<Text>,
        /// Campaign parameter `utm_source` of the address.
        utm_source: Option<Symbol>,
        /// Campaign parameter `utm_medium` of the address.
        utm_medium: Option<Symbol>,
        /// Campaign parameter `utm_campaign` of the address.
        utm_campaign: Option<Symbol>,
        /// Campaign parameter `utm_term` of the address.
        utm_term: Option<Symbol>,
        /// Campaign parameter `utm_content` of the address.
        utm_content: Option<Symbol>,
        /// Kind of device, as stated.
        device: Option<Symbol>,
        /// Words of a search.
        search_query: Option<Text>,
        /// Id of the product list.
        list_id: Option<Text>,
        /// Position of the product in the list.
        position: Option<i64>,
        /// Id of the cart.
        cart_id: Option<Text>,
        /// Id of the checkout.
        checkout_id: Option<Text>,
        /// Id of the order, of an event that names one.
        order_id: Option<Text>,
        /// Key of the order, as in `fact_order`; 0 is none.
        order_key: Key,
        /// Whether the source marks the record as a test; figures leave tests out.
        is_test: bool,
        /// Whether the source marks the visitor as a bot; figures leave bots out.
        is_bot: bool,
        /// Whether the record's time is more than a day later than its receipt.
        is_future: bool,
        /// Fields that the contract does not have, and values that could not be used: a JSON object.
        extra: Option<Text>,
    }

    /// One stock level of a product at a location.
    fact_inventory with lineage {
        /// Key of the product in `dim_product`.
        product_key: Key,
        /// Location of the stock, as stated.
        location: Symbol,
        /// The shop's day of the level, yyyymmdd.
        inventory_date_key: i32,
        /// When the level was taken.
        occurred_at: Timestamp,
        /// Units in stock.
        level: Quantity,
        /// Fields that the contract does not have, and values that could not be used: a JSON object.
        extra: Option<Text>,
    }

    /// One stated rate of a currency pair on a day.
    fact_fx_rate with lineage {
        /// Currency of which one unit is priced, ISO 4217.
        base: Symbol,
        /// Currency of the price, ISO 4217.
        quote: Symbol,
        /// Day of the rate, yyyymmdd.
        rate_date_key: i32,
        /// Units of `quote` for one unit of `base`.
        rate: Rate,
        /// When the rate was stated.
        occurred_at: Timestamp,
    }
}
