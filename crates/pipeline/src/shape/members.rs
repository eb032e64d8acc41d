//! Rows of the members of dimensions that a record is the first to name.

use kassa_model::star::{
    dim_address, dim_category, dim_channel, dim_city, dim_country, dim_currency, dim_customer, dim_payment_method, dim_product,
    dim_promotion,
};
use kassa_model::{Currency, Key, Table, country};

use crate::dimensions::Collision;
use crate::event::{Address, Envelope};
use crate::shape::Shaper;

impl Shaper<'_> {
    fn member(&mut self, table: Table, kind: &str, natural: &[&str]) -> Result<(Key, bool), Collision> {
        self.memory.members.meet(&self.memory.keyring, table, kind, natural)
    }

    /// The key of what no dimension has members of.
    pub(crate) fn key(&self, kind: &str, store: &str, id: &str) -> Key {
        self.memory.keyring.key(kind, &[store, id])
    }

    pub(crate) fn customer(&mut self, envelope: &Envelope<'_>) -> Result<Key, Collision> {
        let (key, id) = (envelope.customer.key, envelope.customer_id);
        if self.memory.members.is_new(Table::DimCustomer, envelope.customer)? {
            let origin = self.next_origin();
            self.rows.add(&dim_customer::Row {
                customer_key: key,
                customer_id: id,
                segment: None,
                consent: None,
                home_city_key: Key::UNKNOWN,
                valid_from: self.lineage.occurred_at,
                is_placeholder: true,
                extra: None,
                lineage: origin.row(),
            });
        }
        Ok(key)
    }

    /// A product that a fact names: its placeholder contains the line's description of it.
    pub(crate) fn product(
        &mut self,
        store: &str,
        id: Option<&str>,
        variant: Option<&str>,
        said: Said<'_>,
    ) -> Result<Key, Collision> {
        let Some(id) = id else { return Ok(Key::UNKNOWN) };
        let natural = [store, variant.unwrap_or_default(), id];
        let product = self.memory.keyring.checked("product", &natural);
        let key = product.key;
        if self.memory.members.is_new(Table::DimProduct, product)? {
            let category = self.category(said.category)?;
            let origin = self.next_origin();
            self.rows.add(&dim_product::Row {
                product_key: key,
                product_id: id,
                variant_id: variant,
                sku: said.sku,
                name: said.name,
                brand: said.brand,
                category_key: category,
                price: None,
                cost: None,
                currency: None,
                status: None,
                valid_from: self.lineage.occurred_at,
                is_placeholder: true,
                extra: None,
                lineage: origin.row(),
            });
        }
        Ok(key)
    }

    /// A path `A > B > C`: a row for each level that is new.
    pub(crate) fn category(&mut self, path: Option<&str>) -> Result<Key, Collision> {
        let (mut parent, mut level) = (Key::UNKNOWN, 0);
        let Some(path) = path else { return Ok(parent) };
        let ends = path.match_indices(" > ").map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            let upto = &path[..end];
            let (key, is_new) = self.member(Table::DimCategory, "category", &[upto])?;
            level += 1;
            if is_new {
                let name = upto.rsplit(" > ").next().unwrap_or(upto);
                let origin = self.next_origin();
                let lineage = origin.row();
                self.rows.add(&dim_category::Row { category_key: key, name, level, parent_key: parent, path: upto, lineage });
            }
            parent = key;
        }
        Ok(parent)
    }

    pub(crate) fn country(&mut self, code: Option<&str>) -> Result<Key, Collision> {
        let code = code.unwrap_or_default();
        let (key, is_new) = self.member(Table::DimCountry, "country", &[code])?;
        if is_new {
            let name = country::name_of(code).unwrap_or(code);
            let origin = self.next_origin();
            self.rows.add(&dim_country::Row { country_key: key, code, name, lineage: origin.row() });
        }
        Ok(key)
    }

    pub(crate) fn city(&mut self, address: &Address<'_>, country: Key) -> Result<Key, Collision> {
        let Some(name) = address.city else { return Ok(Key::UNKNOWN) };
        let natural = [address.country.unwrap_or_default(), address.region.unwrap_or_default(), name];
        let (key, is_new) = self.member(Table::DimCity, "city", &natural)?;
        if is_new {
            let origin = self.next_origin();
            let (region, lineage) = (address.region, origin.row());
            self.rows.add(&dim_city::Row { city_key: key, name, region, country_key: country, lineage });
        }
        Ok(key)
    }

    /// Key of the address and of its country.
    pub(crate) fn address(&mut self, address: &Address<'_>) -> Result<(Key, Key), Collision> {
        let country = self.country(address.country)?;
        let city = self.city(address, country)?;
        let parts = [address.street, address.region, address.country, address.city, address.postcode];
        if parts.iter().flatten().all(|part| part.is_empty()) {
            return Ok((Key::UNKNOWN, country));
        }
        // The final word distinguishes an address without a postcode from an unknown one.
        let [street, region, code, city_name, postcode] = parts.map(Option::unwrap_or_default);
        let natural = [street, region, code, city_name, postcode, "address"];
        let (key, is_new) = self.member(Table::DimAddress, "address", &natural)?;
        if is_new {
            let origin = self.next_origin();
            let (postcode, lineage) = (address.postcode, origin.row());
            self.rows.add(&dim_address::Row { address_key: key, postcode, city_key: city, lineage });
        }
        Ok((key, country))
    }

    pub(crate) fn channel(&mut self, name: &str) -> Result<Key, Collision> {
        let (key, is_new) = self.member(Table::DimChannel, "channel", &[name])?;
        if is_new {
            let origin = self.next_origin();
            self.rows.add(&dim_channel::Row { channel_key: key, name, lineage: origin.row() });
        }
        Ok(key)
    }

    pub(crate) fn promotion(&mut self, code: Option<&str>) -> Result<Key, Collision> {
        let code = code.unwrap_or_default();
        let (key, is_new) = self.member(Table::DimPromotion, "promotion", &[code])?;
        if is_new {
            let origin = self.next_origin();
            self.rows.add(&dim_promotion::Row { promotion_key: key, code, lineage: origin.row() });
        }
        Ok(key)
    }

    pub(crate) fn payment_method(&mut self, name: Option<&str>) -> Result<Key, Collision> {
        let name = name.unwrap_or_default();
        let (key, is_new) = self.member(Table::DimPaymentMethod, "payment_method", &[name])?;
        if is_new {
            let origin = self.next_origin();
            self.rows.add(&dim_payment_method::Row { payment_method_key: key, name, lineage: origin.row() });
        }
        Ok(key)
    }

    pub(crate) fn currency(&mut self, currency: Option<Currency>) -> Result<(), Collision> {
        let Some(currency) = currency else { return Ok(()) };
        let (key, is_new) = self.member(Table::DimCurrency, "currency", &[currency.code()])?;
        if is_new {
            let minor_digits = i32::try_from(currency.minor_digits()).unwrap_or(2);
            let origin = self.next_origin();
            let (code, lineage) = (currency.code(), origin.row());
            self.rows.add(&dim_currency::Row { currency_key: key, code, minor_digits, lineage });
        }
        Ok(())
    }
}

/// A line's description of its product.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Said<'s> {
    pub(crate) sku: Option<&'s str>,
    pub(crate) name: Option<&'s str>,
    pub(crate) brand: Option<&'s str>,
    pub(crate) category: Option<&'s str>,
}
