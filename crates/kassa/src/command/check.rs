//! `kassa check`: the configuration and every mapping in it, all mistakes at once.

use kassa_config::{Mistake, Mistakes};
use kassa_mapping::Mapping;
use kassa_model::Code;

use crate::cli::{Check, Format};
use crate::failure::Exit;
use crate::wiring;
use crate::{output, settings};

pub fn check(args: &Check) -> anyhow::Result<()> {
    let mistakes = match settings::config(&args.place) {
        Err(error) => match error.downcast::<Mistakes>() {
            Ok(mistakes) => mistakes,
            Err(error) => return Err(error),
        },
        Ok(config) => {
            let lookups = wiring::lookups(&config)?;
            let mut mistakes = Vec::new();
            for stream in &config.streams {
                let Some(mapping) = &stream.mapping else { continue };
                if let Err(error) = Mapping::compile(&mapping.sql, stream.contract, &lookups) {
                    let what = format!("the mapping of stream `{}` does not compile: {}", stream.name, error.message);
                    let mut mistake = Mistake::new(Code::BadMapping, what, mapping.origin_at(error.line, error.column));
                    if let Some(hint) = error.hint {
                        mistake = mistake.help(hint);
                    }
                    mistakes.push(mistake);
                }
            }
            if mistakes.is_empty() {
                if args.format == Format::Json {
                    return output::print("[]");
                }
                let streams: Vec<&str> = config.streams.iter().map(|stream| stream.name.as_str()).collect();
                return output::print(&format!("ok: {} streams ({})", streams.len(), streams.join(", ")));
            }
            Mistakes(mistakes)
        }
    };
    if args.format == Format::Json {
        output::json(&mistakes)?;
    } else {
        eprintln!("{mistakes}");
    }
    Err(Exit(78).into())
}
