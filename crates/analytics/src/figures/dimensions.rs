//! Rows of dimensions into names.

use std::cmp::Ordering;

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
        let (keys, ids, names) = (columns.longs("product_key")?, columns.texts("product_id")?, columns.texts("name")?);
        let (categories, valid_from) = (columns.longs("category_key")?, columns.times("valid_from")?);
        let (is_placeholder, topics) = (columns.flags("is_placeholder")?, columns.texts("source_topic")?);
        let (partitions, offsets) = (columns.longs("source_partition")?, columns.longs("source_offset")?);
        let indexes = columns.ints("source_index")?;
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
        let (keys, paths) = (columns.longs("category_key")?, columns.texts("path")?);
        for row in 0..keys.len() {
            self.set_category(keys.value(row), paths.get(row).unwrap_or_default());
        }
        Ok(())
    }

    pub(super) fn apply_countries(&mut self, columns: &Columns<'_>) -> Result<(), ApplyError> {
        let (keys, codes, names) = (columns.longs("country_key")?, columns.texts("code")?, columns.texts("name")?);
        for row in 0..keys.len() {
            self.set_country(keys.value(row), codes.get(row).unwrap_or_default(), names.get(row).unwrap_or_default());
        }
        Ok(())
    }

    pub(super) fn apply_plain(&mut self, columns: &Columns<'_>, key: &'static str, name: &'static str) -> Result<(), ApplyError> {
        let (keys, names) = (columns.longs(key)?, columns.texts(name)?);
        for row in 0..keys.len() {
            self.set_plain(keys.value(row), names.get(row).unwrap_or_default());
        }
        Ok(())
    }
}
