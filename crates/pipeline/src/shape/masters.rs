//! Versions of master data: customers and products.

use kassa_model::Table;

use crate::dimensions::Collision;
use crate::event::{Customer, Event, Product};
use crate::shape::Shaper;

impl Shaper<'_> {
    #[rustfmt::skip]
    pub(crate) fn customer_version(&mut self, event: &Event<'_>, customer: &Customer<'_>) -> Result<(), Collision> {
        let envelope = &event.envelope;
        // Noted so that later facts write no placeholder for it.
        let key = envelope.customer;
        self.memory.members.is_new(Table::DimCustomer, key, &[envelope.store_id, envelope.customer_id])?;
        let country = self.country(customer.address.country)?;
        let home = self.city(&customer.address, country)?;
        self.fact(Table::DimCustomer, 0, |row, at| {
            row.key(key).text(envelope.customer_id).text(customer.segment).text(customer.consent).key(home).i64(at).bool(false).text(event.extra)
        });
        let personal = [customer.name, customer.email, customer.phone, customer.address.street, customer.address.postcode];
        if personal.iter().any(Option::is_some) {
            let [name, email, phone, street, postcode] = personal;
            self.add(Table::VaultCustomer, |row, at| {
                row.key(key).text(name).text(email).text(phone).text(street).text(postcode).i64(at)
            });
        }
        Ok(())
    }

    #[rustfmt::skip]
    pub(crate) fn product_version(&mut self, event: &Event<'_>, product: &Product<'_>) -> Result<(), Collision> {
        let natural = [event.envelope.store_id, product.variant_id.unwrap_or_default(), product.product_id];
        let (key, _) = self.memory.members.meet(Table::DimProduct, "product", &natural)?;
        let category = self.category(product.category.as_deref())?;
        self.currency(product.currency)?;
        self.fact(Table::DimProduct, 0, |row, at| {
            row.key(key).text(product.product_id).text(product.variant_id).text(product.sku).text(product.name).text(product.brand)
                .key(category).decimal(product.price).decimal(product.cost).text(product.currency.as_ref().map(|c| c.code()))
                .text(product.status).i64(at).bool(false).text(event.extra)
        });
        Ok(())
    }
}
