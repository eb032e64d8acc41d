//! `kassa doctor`: checks everything in the configuration.

use std::io::IsTerminal;
use std::sync::Arc;

use kassa_model::printable::printable;
use kassa_model::time::{Clock, SystemClock};

use crate::cli::{Doctor, Shown};
use crate::doctor::{Check, Report, Verdict, examine};
use crate::failure::Exit;
use crate::{output, settings};

pub fn doctor(args: &Doctor) -> anyhow::Result<()> {
    let (_, mistakes) = settings::examine(&args.place)?;
    if !mistakes.0.is_empty() {
        let wrong = mistakes.0.iter().map(|mistake| {
            let check = Check::wrong("settings", mistake.code.code(), &mistake.origin.to_string(), mistake.what.clone());
            check.why(format!("see {}", mistake.code.page())).fix(mistake.help.join("; "))
        });
        show(&Report::new(wrong.collect()), args.format)?;
        return Err(Exit(78).into());
    }
    let config = settings::config(&args.place)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let report = examine(&config, &clock);
    show(&report, args.format)?;
    if report.ok { Ok(()) } else { Err(Exit(1).into()) }
}

fn show(report: &Report, format: Shown) -> anyhow::Result<()> {
    if format == Shown::Json {
        return output::json(report);
    }
    let colour = std::env::var_os("NO_COLOR").is_none() && std::io::stdout().is_terminal();
    output::painted(&table(report, colour))
}

/// One line per check. Below each problem: where it is, why it matters and the fix. At the end, the
/// count.
fn table(report: &Report, colour: bool) -> String {
    let width =
        |of: fn(&Check) -> &str| report.checks.iter().map(|check| printable(of(check)).chars().count()).max().unwrap_or(0);
    let (systems, checks) = (width(|check| check.system), width(|check| &check.check));
    let mut lines = Vec::new();
    for check in &report.checks {
        let verdict = painted(check.verdict, colour);
        lines.push(
            format!("{verdict}  {:systems$}  {:checks$}  {}", check.system, printable(&check.check), printable(&check.found))
                .trim_end()
                .to_owned(),
        );
        if check.verdict > Verdict::Ok {
            let details = [("where", Some(&check.place)), ("why", check.why.as_ref()), ("fix", check.fix.as_ref())];
            lines.extend(
                details.into_iter().filter_map(|(word, text)| Some(format!("           {word:5}  {}", printable(text?)))),
            );
        }
    }
    let [ok, warnings, wrong] = [Verdict::Ok, Verdict::Warning, Verdict::Wrong].map(|verdict| report.count(verdict));
    lines.push(format!("\n{ok} ok, {warnings} {}, {wrong} wrong", if warnings == 1 { "warning" } else { "warnings" }));
    lines.join("\n")
}

fn painted(verdict: Verdict, colour: bool) -> String {
    let word = format!("{:7}", verdict.name());
    let paint = match verdict {
        Verdict::Ok => "32",
        Verdict::Warning => "33",
        Verdict::Wrong => "1;31",
    };
    if colour { format!("\u{1b}[{paint}m{word}\u{1b}[0m") } else { word }
}
