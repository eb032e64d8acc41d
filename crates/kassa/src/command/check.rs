//! `kassa check`: the configuration, every mapping in it and their reference tables, all mistakes at once.

use kassa_config::Mistakes;

use crate::cli::{Check, Format};
use crate::failure::Exit;
use crate::wiring;
use crate::{output, settings};

pub fn check(args: &Check) -> anyhow::Result<()> {
    let checked = settings::config(&args.place).and_then(|config| {
        wiring::streams(&config)?;
        Ok(config)
    });
    let mistakes = match checked.map_err(anyhow::Error::downcast::<Mistakes>) {
        Ok(_) if args.format == Format::Json => return output::print("[]"),
        Ok(config) => {
            let streams: Vec<&str> = config.streams.iter().map(|stream| stream.name.as_str()).collect();
            return output::print(&format!("ok: {} streams ({})", streams.len(), streams.join(", ")));
        }
        Err(Ok(mistakes)) => mistakes,
        Err(Err(error)) => return Err(error),
    };
    if args.format == Format::Json {
        output::json(&mistakes)?;
    } else {
        eprintln!("{mistakes}");
    }
    Err(Exit(78).into())
}
