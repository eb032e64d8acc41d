//! Versions of master data: customers and products.

use kassa_model::star::{dim_customer, dim_product, vault_customer};
use kassa_model::{Currency, Table};

use crate::dimensions::Collision;
use crate::event::{Customer, Event, Product};
use crate::shape::Shaper;

impl Shaper<'_> {
    pub(crate) fn customer_version(&mut self, event: &Event<'_>, customer: &Customer<'_>) -> Result<(), Collision> {
        let envelope = &event.envelope;
        // Added so that later facts write no placeholder for it.
        let key = envelope.customer;
        self.memory.members.is_new(Table::DimCustomer, key, &[envelope.store_id, envelope.customer_id])?;
        let country = self.country(customer.address.country)?;
        let home = self.city(&customer.address, country)?;
        let origin = self.origin(0);
        self.rows.add(&dim_customer::Row {
            customer_key: key,
            customer_id: envelope.customer_id,
            segment: customer.segment,
            consent: customer.consent,
            home_city_key: home,
            valid_from: envelope.occurred_at,
            is_placeholder: false,
            extra: event.extra,
            lineage: origin.row(),
        });
        let personal = [customer.name, customer.email, customer.phone, customer.address.street, customer.address.postcode];
        if personal.iter().any(Option::is_some) {
            let [name, email, phone, street, postcode] = personal;
            let origin = self.next_origin();
            self.rows.add(&vault_customer::Row {
                customer_key: key,
                name,
                email,
                phone,
                street,
                postcode,
                valid_from: envelope.occurred_at,
                lineage: origin.row(),
            });
        }
        Ok(())
    }

    pub(crate) fn product_version(&mut self, event: &Event<'_>, product: &Product<'_>) -> Result<(), Collision> {
        let natural = [event.envelope.store_id, product.variant_id.unwrap_or_default(), product.product_id];
        let (key, _) = self.memory.members.meet(Table::DimProduct, "product", &natural)?;
        let category = self.category(product.category.as_deref())?;
        self.currency(product.currency)?;
        let origin = self.origin(0);
        self.rows.add(&dim_product::Row {
            product_key: key,
            product_id: product.product_id,
            variant_id: product.variant_id,
            sku: product.sku,
            name: product.name,
            brand: product.brand,
            category_key: category,
            price: product.price,
            cost: product.cost,
            currency: product.currency.as_ref().map(Currency::code),
            status: product.status,
            valid_from: event.envelope.occurred_at,
            is_placeholder: false,
            extra: event.extra,
            lineage: origin.row(),
        });
        Ok(())
    }
}
