//! `kassa sql`: a read-only query of the lake's star schema, views and figures.

use std::sync::Arc;

use kassa_lake::store::Measured;
use kassa_model::Code;
use kassa_query::{Session, SqlError};

use crate::cli::Sql;
use crate::failure::Failure;
use crate::wiring::Lake;
use crate::{failure, output, settings};

pub fn sql(args: &Sql) -> anyhow::Result<()> {
    let config = settings::reading(&args.place)?;
    let lake = Lake::of(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let store = Measured::new(Arc::clone(&lake.store));
    let rebuilt = lake.rebuilt()?;
    let rows = runtime.block_on(async {
        let session = Session::open(&store, &config.shop, &args.query).await?;
        session.run_measured(&args.query).await
    });
    let (rows, scanned) = rows.map_err(|error| match error {
        SqlError::Refused(why) => {
            // A disk or a store that fails while rows are read is no mistake in the query.
            if let Some((code, fix)) = failure::of_system(&why) {
                let failure = Failure::new(code, why);
                return anyhow::Error::new(match fix {
                    Some(fix) => failure.hint(fix),
                    None => failure,
                });
            }
            let hint = "kassa sql reads only; `SHOW TABLES` lists tables and views";
            anyhow::Error::new(Failure::new(Code::SqlRefused, why).hint(hint))
        }
        SqlError::Lake(error) => error.into(),
    })?;
    lake.refuse_rebuilt(rebuilt)?;
    output::batches(&rows, args.format)?;
    if args.verbose {
        // Figures are read by the store, tables by the query engine.
        output::bytes_read(lake.store.as_ref(), scanned + store.read())?;
    }
    Ok(())
}
