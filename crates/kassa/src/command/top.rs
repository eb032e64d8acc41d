//! `kassa top`: watches a running kassa.

use std::io::IsTerminal;
use std::time::Duration;

use kassa_model::Code;
use serde_json::json;

use crate::cli::{Shown, Top};
use crate::failure::{Failure, without_secret};
use crate::top::{Listener, plain, watch};
use crate::{output, settings};

/// A running kassa sends both events of the live stream within a second.
const FIRST: Duration = Duration::from_secs(10);

pub fn top(args: &Top) -> anyhow::Result<()> {
    let url = match &args.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http://{}", settings::config(&args.place)?.server.listen),
    };
    without_secret("--url", &url)?;
    if !url.starts_with("http://") {
        let failure = Failure::new(Code::BadParameter, format!("`{url}` is not an http:// address"));
        return Err(failure.hint("--url needs the address of a running `kassa run`, such as http://127.0.0.1:8080").into());
    }
    let listener = Listener::start(&url)?;
    if !args.once && args.format == Shown::Table && std::io::stdout().is_terminal() {
        return watch(&listener);
    }
    let latest = listener.whole(FIRST).map_err(|why| {
        let failure = Failure::new(Code::BadParameter, format!("no data from {url}: {why}"));
        failure.hint("start `kassa run`, or give the address that it printed as --url")
    })?;
    match args.format {
        Shown::Json => output::json(&json!({"url": url, "live": latest.live_json, "pipeline": latest.pipeline_json})),
        Shown::Table => output::print(&plain(&latest)),
    }
}
