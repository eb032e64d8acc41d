//! Dimensions without versions: one row per member, whose key is computed from the row's contents.

use super::declare::columns;
use super::kind::Text;
use super::shared::lineage;
use crate::Key;

columns! {
    /// One category at one level of its path.
    dim_category with lineage {
        /// Key of the category.
        category_key: Key,
        /// Name of the category itself.
        name: Text,
        /// Depth in the path, from 1.
        level: i32,
        /// Key of the category above; 0 at the top.
        parent_key: Key,
        /// Names from the top to this category, joined by ` > `.
        path: Text,
    }

    /// One address.
    dim_address with lineage {
        /// Key of the address, computed from all its parts, the street included.
        address_key: Key,
        /// Postcode.
        postcode: Option<Text>,
        /// Key of the city in `dim_city`; 0 is unknown.
        city_key: Key,
    }

    /// One city.
    dim_city with lineage {
        /// Key of the city.
        city_key: Key,
        /// Name of the city, as stated.
        name: Text,
        /// Region or state, as stated.
        region: Option<Text>,
        /// Key of the country in `dim_country`; 0 is unknown.
        country_key: Key,
    }

    /// One country.
    dim_country with lineage {
        /// Key of the country.
        country_key: Key,
        /// Code, ISO 3166-1 alpha-2.
        code: Text,
        /// Name in English.
        name: Text,
    }

    /// One sales channel.
    dim_channel with lineage {
        /// Key of the channel.
        channel_key: Key,
        /// Name of the channel, as stated.
        name: Text,
    }

    /// One promotion or coupon.
    dim_promotion with lineage {
        /// Key of the promotion.
        promotion_key: Key,
        /// Code of the promotion, as stated.
        code: Text,
    }

    /// One payment method.
    dim_payment_method with lineage {
        /// Key of the method.
        payment_method_key: Key,
        /// Name of the method, as stated.
        name: Text,
    }

    /// One currency.
    dim_currency with lineage {
        /// Key of the currency.
        currency_key: Key,
        /// Code, ISO 4217.
        code: Text,
        /// Number of decimal places of its smallest unit.
        minor_digits: i32,
    }
}
