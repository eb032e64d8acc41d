//! `kassa run`: the pipeline, until it is told to stop.

use kassa_config::Override;
use kassa_model::Code;

use crate::cli::Run;
use crate::failure::Failure;
use crate::server::{Chosen, Service};
use crate::settings;

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
    eprintln!("  dashboard  http://{}/", config.server.listen);
    eprintln!("  collector  http://{}/v1/{{stream}}", config.server.listen);
    eprintln!("  data       {}", config.data_dir.display());
    eprintln!("next: curl -d '{{…}}' http://{}/v1/orders; stop with Ctrl-C", config.server.listen);
    service.work_until(|| false)?;
    eprintln!("stopping: committing what was read");
    service.finish()
}

fn sinks(names: &[String]) -> anyhow::Result<Chosen> {
    if names.is_empty() {
        return Ok(Chosen { archive: true, lake: true, live: true });
    }
    if let Some(unknown) = names.iter().find(|name| !["archive", "lake", "live"].contains(&name.as_str())) {
        let failure = Failure::new(Code::BadParameter, format!("there is no sink `{unknown}`"));
        return Err(failure.hint("sinks: archive, lake, live").into());
    }
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    Ok(Chosen { archive: has("archive"), lake: has("lake"), live: has("live") })
}
