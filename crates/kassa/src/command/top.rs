//! `kassa top`: watches a running kassa.

use std::io::IsTerminal;
use std::time::Duration;

use kassa_model::Code;
use serde_json::json;

use crate::cli::{Shown, Top};
use crate::failure::Failure;
use crate::top::{Listener, plain, watch};
use crate::{output, settings};

/// Both events of the live stream come within a second of each other, from a kassa that is at work.
const FIRST: Duration = Duration::from_secs(10);

pub fn top(args: &Top) -> anyhow::Result<()> {
    let url = match &args.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http://{}", settings::config(&args.place)?.server.listen),
    };
    if !url.starts_with("http://") {
        let failure = Failure::new(Code::BadParameter, format!("`{url}` is not an http:// address"));
        return Err(failure
            .hint("--url takes the address of a `kassa run` that is at work, such as http://127.0.0.1:8080")
            .into());
    }
    let listener = Listener::start(&url)?;
    if !args.once && args.format == Shown::Table && std::io::stdout().is_terminal() {
        return watch(&listener);
    }
    let heard = listener.whole(FIRST).map_err(|why| {
        let failure = Failure::new(Code::BadParameter, format!("nothing was heard from {url}: {why}"));
        failure.hint("start `kassa run`, or give the address that it said as --url")
    })?;
    match args.format {
        Shown::Json => output::json(&json!({"url": url, "live": heard.live_json, "pipeline": heard.pipeline_json})),
        Shown::Table => output::print(&plain(&heard)),
    }
}
