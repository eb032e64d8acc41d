//! `kassa migrate`: migrates the warehouse's schema separately from the pipeline, so that the
//! ingesting user need not own it.

use anyhow::Context;
use kassa_pipeline::SinkError;

use crate::cli::Migrate;
use crate::{output, settings, warehouse};

pub fn migrate(args: &Migrate) -> anyhow::Result<()> {
    if args.roles {
        return output::print(kassa_warehouse::ROLES);
    }
    let target = warehouse::required(&settings::reading(&args.place)?)?;
    let applied = kassa_warehouse::migrate(&target).map_err(SinkError::from).context("could not migrate the warehouse")?;
    match applied.as_slice() {
        [] => output::print("ok: the warehouse's schema is up to date"),
        applied => output::print(&format!("ok: applied {}", applied.join(", "))),
    }
}
