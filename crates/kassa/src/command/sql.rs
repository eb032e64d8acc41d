//! `kassa sql`: a read-only query of the lake's star schema, views and figures.

use kassa_model::Code;
use kassa_query::{Session, SqlError};

use crate::cli::Sql;
use crate::failure::Failure;
use crate::wiring::Lake;
use crate::{output, settings};

pub fn sql(args: &Sql) -> anyhow::Result<()> {
    let config = settings::reading(&args.place)?;
    let lake = Lake::of(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let rows = runtime.block_on(async {
        let session = Session::open(lake.store.as_ref(), &config.shop, &args.query).await?;
        session.run(&args.query).await
    });
    let rows = rows.map_err(|error| match error {
        SqlError::Refused(why) => {
            let hint = "kassa sql reads only; `SHOW TABLES` lists tables and views";
            anyhow::Error::new(Failure::new(Code::SqlRefused, why).hint(hint))
        }
        SqlError::Lake(error) => error.into(),
    })?;
    output::batches(&rows, args.format)
}
