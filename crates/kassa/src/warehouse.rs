//! The warehouse of a configuration.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use kassa_config::Config;
use kassa_engine::MemoryError;
use kassa_engine::memory::Take;
use kassa_model::time::Clock;
use kassa_model::{Code, Positions, Table};
use kassa_warehouse::read::Reader;
use kassa_warehouse::url::{Tls, Trust};
use kassa_warehouse::{Target, WarehouseError, WarehouseSink};

use crate::failure::Failure;

/// Where it is; `None`: the configuration has none.
pub fn target(config: &Config) -> anyhow::Result<Option<Target>> {
    let Some(warehouse) = &config.warehouse else { return Ok(None) };
    let password = warehouse.password.clone();
    let mut target = Target::parse(&warehouse.url, password).map_err(|error| {
        Failure::of(Code::StoreRefused, error).hint("the key is `warehouse.url`: see docs/how-to/postgresql.md")
    })?;
    let base = config.file.as_deref().and_then(Path::parent).unwrap_or_else(|| Path::new("."));
    if let Tls::Verified(Trust { authority, client }) = &mut target.tls {
        let files = authority.iter_mut().chain(client.iter_mut().flat_map(|(certificate, key)| [certificate, key]));
        files.for_each(|file| *file = base.join(&*file));
    }
    Ok(Some(target))
}

/// As `target`, but fails if no warehouse is configured.
pub fn required(config: &Config) -> anyhow::Result<Target> {
    target(config)?.ok_or_else(|| {
        let failure = Failure::new(Code::BadParameter, "the configuration has no warehouse");
        failure.hint("give it as `url = \"postgres://USER@HOST/DATABASE\"` in [warehouse]").into()
    })
}

/// How many whole days facts are kept; `None`: forever.
pub fn days_kept(config: &Config) -> Option<u32> {
    let retention = config.warehouse.as_ref()?.retention?;
    Some(u32::try_from(retention.as_secs() / 86_400).unwrap_or(u32::MAX))
}

/// The sink, its schema brought up to date where the user may do that.
pub fn sink(target: &Target, clock: &Arc<dyn Clock>) -> anyhow::Result<WarehouseSink> {
    let opened = migrated(target).and_then(|()| WarehouseSink::open(target.clone(), Arc::clone(clock)));
    opened.map_err(kassa_pipeline::SinkError::from).context("could not open the warehouse")
}

/// Migrates. A login without the right to migrate uses the existing schema; opening reports what is missing.
fn migrated(target: &Target) -> Result<(), WarehouseError> {
    match kassa_warehouse::migrate(target) {
        Ok(applied) if !applied.is_empty() => tracing::info!(?applied, "the warehouse's schema is up to date"),
        Ok(_) | Err(WarehouseError::Invalid(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// The warehouse's star schema, to complete a memory.
pub struct Held {
    reader: Reader,
    positions: Positions,
}

impl Held {
    pub fn open(target: &Target) -> anyhow::Result<Self> {
        let opened = Reader::open(target).and_then(|mut reader| {
            let positions = reader.snapshot()?.positions().clone();
            Ok(Self { reader, positions })
        });
        opened.map_err(kassa_pipeline::SinkError::from).context("could not read the warehouse")
    }
}

impl kassa_engine::Held for Held {
    fn positions(&self) -> Positions {
        self.positions.clone()
    }

    fn each_beyond(&mut self, table: Table, columns: &[&str], from: &Positions, take: Take<'_>) -> Result<(), MemoryError> {
        let read = self.reader.snapshot().and_then(|mut snapshot| {
            snapshot.each_beyond(table, columns, from, &mut |rows| take(rows).map_err(WarehouseError::corrupt))
        });
        Ok(read.map_err(kassa_pipeline::SinkError::from)?)
    }
}
