//! `kassa job`: jobs that run occasionally.

use kassa_model::nearest::nearest;
use kassa_model::{Code, time};
use serde_json::json;

use crate::cli::{Format, JobList, JobRun};
use crate::failure::Failure;
use crate::jobs::{JOBS, Job};
use crate::{output, settings};

pub fn list(args: &JobList) -> anyhow::Result<()> {
    let rows: Vec<Vec<String>> = JOBS.iter().map(|job| vec![job.name.to_owned(), job.about.to_owned()]).collect();
    output::table(&["job", "what it does"], &rows, args.format)
}

pub fn run(args: &JobRun) -> anyhow::Result<()> {
    let job = job(&args.name)?;
    if let Some(date) = &args.date {
        time::parse_day(date).ok_or_else(|| {
            Failure::new(Code::BadParameter, format!("`--date` is not a day: {date}")).hint("write it as 2026-03-28")
        })?;
        say!("note: `{}` works on the current lake and ignores --date", job.name);
    }
    let config = settings::config(&args.place)?;
    let done = (job.run)(&config)?;
    if args.format == Format::Json {
        return output::json(&json!({"job": job.name, "changed": done.is_changed, "detail": done.detail}));
    }
    output::print(&format!("{}: {}", job.name, done.words))
}

fn job(name: &str) -> anyhow::Result<&'static Job> {
    JOBS.iter().find(|job| job.name == name).ok_or_else(|| {
        let names = || JOBS.iter().map(|job| job.name);
        let failure = Failure::new(Code::BadParameter, format!("there is no job `{name}`"));
        let all = || format!("jobs: {}", names().collect::<Vec<_>>().join(", "));
        failure.hint(nearest(name, names()).map_or_else(all, |nearest| format!("did you mean `{nearest}`?"))).into()
    })
}
