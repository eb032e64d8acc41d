//! Removes the leftovers of loads that can never be applied: those of generations before the
//! current one. Nothing depends on it.

use super::Exporter;
use crate::api::BATCH;
use crate::error::ExportError;
use crate::{held, statements};

impl Exporter<'_> {
    pub(super) fn clean(&self, generation: i64) {
        if let Err(error) = self.drop_staging(generation) {
            tracing::warn!(%error, "staging tables are left behind in Redshift; the next export drops them");
        }
        if let Err(error) = self.delete_objects(generation) {
            tracing::warn!(%error, "manifests are left behind in the bucket; the next export deletes them");
        }
    }

    fn drop_staging(&self, generation: i64) -> Result<(), ExportError> {
        let of = format!("{} clean", self.run);
        let rows = self.api.query("catalogue", &statements::catalogue(&self.target), &self.token("catalogue", &of, 0))?;
        let own = self.target.own_schema();
        let mut dead: Vec<&str> = rows
            .iter()
            .filter_map(|row| match row.as_slice() {
                [Some(schema), Some(table), _] if *schema == own => Some(table.as_str()),
                _ => None,
            })
            .filter(|table| statements::generation_of(table).is_some_and(|of| of < generation))
            .collect();
        dead.sort_unstable();
        dead.dedup();
        for (nth, some) in dead.chunks(BATCH).enumerate() {
            let drops = some.iter().map(|name| statements::drop_staging(&self.target, name)).collect();
            self.run("dropping staging tables", drops, &format!("{of} {nth}"))?;
        }
        Ok(())
    }

    /// Keeps the file list of the load that led to this generation.
    fn delete_objects(&self, generation: i64) -> Result<(), ExportError> {
        let root = &self.target.folder;
        for name in self.lake.list(root)? {
            let Some(of) = held::generation_of(&name).filter(|of| *of < generation) else { continue };
            for file in self.lake.list(&format!("{root}/{name}"))? {
                if of + 1 < generation || file != held::FILE {
                    self.lake.delete(&format!("{root}/{name}/{file}"))?;
                }
            }
        }
        Ok(())
    }
}
