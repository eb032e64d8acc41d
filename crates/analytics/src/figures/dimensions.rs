//! Rows of dimensions into names.

use std::cmp::Ordering;

use kassa_model::Key;
use kassa_model::star::kind::{Name, Text};
use kassa_model::star::{dim_category, dim_country, dim_product, lineage};

use crate::columns::{ApplyError, Columns};
use crate::names::{Names, Product, Version};

pub(super) const PRODUCT: &[&str] = &[
    "product_key",
    "product_id",
    "name",
    "category_key",
    "valid_from",
    "is_placeholder",
    "source_topic",
    "source_partition",
    "source_offset",
    "source_index",
];

impl Names {
    pub(super) fn apply_products(&mut self, columns: &Columns<'_>) -> Result<(), ApplyError> {
        let (keys, ids, names) =
            (columns.get(dim_product::product_key)?, columns.get(dim_product::product_id)?, columns.get(dim_product::name)?);
        let (categories, valid_from) = (columns.get(dim_product::category_key)?, columns.get(dim_product::valid_from)?);
        let (is_placeholder, topics) = (columns.get(dim_product::is_placeholder)?, columns.get(lineage::source_topic)?);
        let (partitions, offsets) = (columns.get(lineage::source_partition)?, columns.get(lineage::source_offset)?);
        let indexes = columns.get(lineage::source_index)?;
        for row in 0..columns.rows.num_rows() {
            let (key, is_real) = (keys.value(row), !is_placeholder.value(row));
            if self.compare_version(key, is_real, valid_from.value(row)) == Ordering::Less {
                continue;
            }
            let version = Version {
                is_real,
                valid_from: valid_from.value(row),
                topic: topics.get(row).unwrap_or_default().into(),
                partition: partitions.value(row),
                offset: offsets.value(row),
                index: indexes.value(row),
            };
            let id = ids.get(row).unwrap_or_default().into();
            self.set_product(
                key,
                Product { version, id, name: names.get(row).map(Into::into), category_key: categories.value(row) },
            );
        }
        Ok(())
    }

    pub(super) fn apply_categories(&mut self, columns: &Columns<'_>) -> Result<(), ApplyError> {
        let (keys, paths) = (columns.get(dim_category::category_key)?, columns.get(dim_category::path)?);
        for row in 0..keys.len() {
            self.set_category(keys.value(row), paths.get(row).unwrap_or_default());
        }
        Ok(())
    }

    pub(super) fn apply_countries(&mut self, columns: &Columns<'_>) -> Result<(), ApplyError> {
        let (keys, codes, names) =
            (columns.get(dim_country::country_key)?, columns.get(dim_country::code)?, columns.get(dim_country::name)?);
        for row in 0..keys.len() {
            self.set_country(keys.value(row), codes.get(row).unwrap_or_default(), names.get(row).unwrap_or_default());
        }
        Ok(())
    }

    pub(super) fn apply_plain(&mut self, columns: &Columns<'_>, key: Name<Key>, name: Name<Text>) -> Result<(), ApplyError> {
        let (keys, names) = (columns.get(key)?, columns.get(name)?);
        for row in 0..keys.len() {
            self.set_plain(keys.value(row), names.get(row).unwrap_or_default());
        }
        Ok(())
    }
}
