//! Keys are what their natural keys hash to, and every key in a fact has its member.

use std::collections::{HashMap, HashSet};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, StringArray};
use kassa_model::{Key, Table};

use super::Prover;
use crate::delta::LogError;
use crate::recover::scan;

/// Table, kind of its keys, and the columns of key and natural key.
const MEMBERS: [(Table, &str, &[&str]); 7] = [
    (Table::DimCustomer, "customer", &["customer_key", "store_id", "customer_id"]),
    (Table::DimProduct, "product", &["product_key", "store_id", "variant_id", "product_id"]),
    (Table::DimCategory, "category", &["category_key", "path"]),
    (Table::DimCountry, "country", &["country_key", "code"]),
    (Table::DimChannel, "channel", &["channel_key", "name"]),
    (Table::DimPromotion, "promotion", &["promotion_key", "code"]),
    (Table::DimPaymentMethod, "payment_method", &["payment_method_key", "name"]),
];

/// Fact or dimension, its column, and the table that must have the member.
const REFERENCES: [(Table, &str, Table); 14] = [
    (Table::FactSales, "customer_key", Table::DimCustomer),
    (Table::FactSales, "product_key", Table::DimProduct),
    (Table::FactSales, "channel_key", Table::DimChannel),
    (Table::FactSales, "promotion_key", Table::DimPromotion),
    (Table::FactSales, "ship_country_key", Table::DimCountry),
    (Table::FactOrder, "customer_key", Table::DimCustomer),
    (Table::FactOrder, "ship_country_key", Table::DimCountry),
    (Table::FactPayment, "customer_key", Table::DimCustomer),
    (Table::FactPayment, "payment_method_key", Table::DimPaymentMethod),
    (Table::FactEvent, "customer_key", Table::DimCustomer),
    (Table::FactEvent, "product_key", Table::DimProduct),
    (Table::FactEvent, "country_key", Table::DimCountry),
    (Table::DimProduct, "category_key", Table::DimCategory),
    (Table::DimCategory, "parent_key", Table::DimCategory),
];

impl Prover<'_> {
    pub(crate) fn keys(&mut self) -> Result<(), LogError> {
        let mut members: HashMap<Table, HashSet<i64>> = HashMap::new();
        for (table, kind, columns) in MEMBERS {
            let held = members.entry(table).or_default();
            let mut wrong = Vec::new();
            scan(self.store, table, columns, &mut |rows| {
                let keys = rows.column(0).as_primitive::<Int64Type>();
                let parts: Vec<&StringArray> = (1..columns.len()).filter_map(|at| rows.column(at).as_string_opt()).collect();
                for row in 0..rows.num_rows() {
                    let natural: Vec<&str> =
                        parts.iter().map(|part| if part.is_valid(row) { part.value(row) } else { "" }).collect();
                    if Key::of(kind, &natural).0 != keys.value(row) {
                        wrong.push(format!("{} is not the key of `{}`", keys.value(row), natural.join("/")));
                    }
                    held.insert(keys.value(row));
                }
                Ok(())
            })?;
            for detail in wrong {
                self.find("altered", table.name(), None, detail);
            }
        }
        for (table, column, dimension) in REFERENCES {
            let held = members.get(&dimension).cloned().unwrap_or_default();
            let mut orphans = HashSet::new();
            scan(self.store, table, &[column], &mut |rows| {
                let keys = rows.column(0).as_primitive::<Int64Type>();
                orphans.extend(keys.iter().flatten().filter(|key| *key != 0 && !held.contains(key)));
                Ok(())
            })?;
            for key in orphans {
                let detail = format!("{}.{column} {key} has no row in {}", table.name(), dimension.name());
                self.find("orphan", table.name(), None, detail);
            }
        }
        Ok(())
    }
}
