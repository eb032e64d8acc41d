//! `kassa check`: checks the configuration, all mappings and their reference tables; reports all
//! mistakes at once.

use crate::cli::{Check, Format};
use crate::failure::Exit;
use crate::{output, settings};

pub fn check(args: &Check) -> anyhow::Result<()> {
    let (streams, mistakes) = settings::examine(&args.place)?;
    match (mistakes.0.is_empty(), args.format) {
        (_, Format::Json) => output::json(&mistakes)?,
        (true, _) => output::print(&format!("ok: {} streams ({})", streams.len(), streams.join(", ")))?,
        (false, _) => say!("{mistakes}"),
    }
    if mistakes.0.is_empty() { Ok(()) } else { Err(Exit(78).into()) }
}
