//! `kassa run`: runs the pipeline until it is stopped.

use kassa_config::{Config, Override};
use kassa_model::Code;

use crate::cli::Run;
use crate::failure::Failure;
use crate::server::{Chosen, Service};
use crate::settings;
use crate::wiring::Durable;

pub fn run(args: &Run) -> anyhow::Result<()> {
    let listen = args.listen.iter().map(|value| Override {
        key: "server.listen".to_owned(),
        value: value.clone(),
        flag: "--listen".to_owned(),
    });
    let (config, _) = settings::load(&args.place, listen.collect())?;
    let chosen = sinks(&args.sinks)?;
    let mut service = Service::start_with(&config, !args.until_caught_up, chosen)?;
    if args.until_caught_up {
        service.catch_up()?;
        return service.finish();
    }
    eprintln!("kassa run");
    let url = service.url();
    eprintln!("  dashboard  {url}/");
    eprintln!("  collector  {url}/v1/{{stream}}");
    eprintln!("  data       {}", config.data_dir.display());
    eprintln!("next: curl -d '{{…}}' {url}/v1/{}; stop with Ctrl-C", an_open_stream(&config));
    service.work_until(|| false)?;
    eprintln!("stopping: committing all records that were read");
    service.finish()
}

/// An existing stream, for an example.
fn an_open_stream(config: &Config) -> &str {
    let names = || config.streams.iter().map(|stream| stream.name.as_str());
    names().find(|name| *name == "orders").or_else(|| names().next()).unwrap_or("orders")
}

/// The names of the sinks of a run.
const SINKS: [&str; 4] = ["archive", "lake", "warehouse", "live"];

/// The sinks with these names; all of them if there are none.
pub fn sinks(names: &[String]) -> anyhow::Result<Chosen> {
    if names.is_empty() {
        return Ok(Chosen::ALL);
    }
    if let Some(unknown) = names.iter().find(|name| !SINKS.contains(&name.as_str())) {
        let failure = Failure::new(Code::BadParameter, format!("there is no sink `{unknown}`"));
        return Err(failure.hint(format!("sinks: {}", SINKS.join(", "))).into());
    }
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let durable = Durable { archive: has("archive"), lake: has("lake"), warehouse: has("warehouse") };
    Ok(Chosen { durable, live: has("live") })
}
