//! Dimensions with versions, and the vault of personal data.

use super::declare::columns;
use super::kind::{Symbol, Text, Timestamp};
use super::shared::lineage;
use crate::{Amount, Key};

columns! {
    /// One version of a customer, without personal data.
    dim_customer with lineage {
        /// Key of the customer.
        customer_key: Key,
        /// Id of the customer, as stated.
        customer_id: Text,
        /// Segment, as stated.
        segment: Option<Symbol>,
        /// Consent to marketing, as stated.
        consent: Option<Symbol>,
        /// Key of the customer's city in `dim_city`; 0 is unknown.
        home_city_key: Key,
        /// From when this version holds.
        valid_from: Timestamp,
        /// Whether a fact named the customer before any record of the customer arrived.
        is_placeholder: bool,
        /// Fields that the contract does not have, and values that could not be used: a JSON object.
        extra: Option<Text>,
    }

    /// Personal data of one version of a customer, apart from the rest and erasable.
    vault_customer with lineage {
        /// Key of the customer, as in `dim_customer`.
        customer_key: Key,
        /// Name of the customer.
        name: Option<Text>,
        /// E-mail address.
        email: Option<Text>,
        /// Telephone number.
        phone: Option<Text>,
        /// Street and house number.
        street: Option<Text>,
        /// Postcode.
        postcode: Option<Text>,
        /// From when this version holds.
        valid_from: Timestamp,
    }

    /// One version of a product or of one of its variants.
    dim_product with lineage {
        /// Key of the product and variant.
        product_key: Key,
        /// Id of the product, as stated.
        product_id: Text,
        /// Id of the variant, as stated.
        variant_id: Option<Text>,
        /// Stock keeping unit, as stated.
        sku: Option<Text>,
        /// Name of the product.
        name: Option<Text>,
        /// Brand of the product.
        brand: Option<Symbol>,
        /// Key of the lowest category in `dim_category`; 0 is unknown.
        category_key: Key,
        /// Price of one unit, in `currency`.
        price: Option<Amount>,
        /// Cost of one unit, in `currency`.
        cost: Option<Amount>,
        /// Currency of `price` and `cost`, ISO 4217.
        currency: Option<Symbol>,
        /// State of the product, as stated.
        status: Option<Symbol>,
        /// From when this version holds.
        valid_from: Timestamp,
        /// Whether a fact named the product before any record of the product arrived.
        is_placeholder: bool,
        /// Fields that the contract does not have, and values that could not be used: a JSON object.
        extra: Option<Text>,
    }
}
