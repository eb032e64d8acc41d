//! `kassa run`: runs the pipeline until it is stopped.

use kassa_config::{Config, Override};
use kassa_model::Code;

use crate::cli::Run;
use crate::failure::Failure;
use crate::server::{Chosen, Service};
use crate::settings;
use crate::sinks::{self, LIVE, Registration};
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
    say!("kassa run");
    let url = service.url();
    say!("  dashboard  {url}/");
    say!("  collector  {url}/v1/{{stream}}");
    say!("  data       {}", config.data_dir.display());
    say!("next: curl -d '{{…}}' {url}/v1/{}; stop with Ctrl-C", an_open_stream(&config));
    service.work_until(|| false)?;
    say!("stopping: committing all records that were read");
    service.finish()
}

/// An existing stream, for an example.
fn an_open_stream(config: &Config) -> &str {
    let names = || config.streams.iter().map(|stream| stream.name.as_str());
    names().find(|name| *name == "orders").or_else(|| names().next()).unwrap_or("orders")
}

/// The sinks with these names; all of them if there are none.
pub fn sinks(names: &[String]) -> anyhow::Result<Chosen> {
    let registered = sinks::ALL;
    if names.is_empty() {
        return Ok(Chosen::ALL);
    }
    let mut durable = Durable { archive: false, lake: false, warehouse: false };
    for name in names {
        let Some(sink) = registered.into_iter().find(|sink| sink.name() == name) else {
            let failure = Failure::new(Code::BadParameter, format!("there is no sink `{name}`"));
            let known = registered.map(Registration::name).join(", ");
            return Err(failure.hint(format!("sinks: {known}")).into());
        };
        sink.feed(&mut durable);
    }
    Ok(Chosen { durable, live: names.iter().any(|name| name == LIVE) })
}
