//! The lake's store: a writable folder, or a bucket with the rights that a writer needs; and the
//! positions of its sinks.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use kassa_config::{Config, LakePlace};
use kassa_lake::{ArchiveSink, Folder, Refused, S3, StarSink};
use kassa_model::Positions;
use kassa_model::time::Clock;
use kassa_pipeline::Sink;

use super::check::{Check, Store, Verdict};
use super::{clock, machine};
use crate::feed::TopicIds;
use crate::wiring;

const SYSTEM: &str = "lake";
/// How long a server without an answer is retried.
const PATIENCE: Duration = Duration::from_secs(3);

type Objects = Arc<dyn kassa_lake::Store>;

pub fn examine(config: &Config, clock: &Arc<dyn Clock>) -> Store {
    let (mut checks, objects) = match &config.lake.place {
        LakePlace::Folder(dir) => (vec![machine::folder(SYSTEM, "folder", dir)], Some(Arc::new(Folder::new(dir)) as Objects)),
        LakePlace::S3(s3) => bucket(config, s3, clock),
    };
    let is_sound = checks.iter().all(|check| check.verdict < Verdict::Wrong);
    let Some(objects) = objects.filter(|_| is_sound) else { return Store { checks, ..Store::default() } };
    let place = config.lake.place.to_string();
    if let Ok(Some(_)) = kassa_lake::rebuild::interrupted(objects.as_ref()) {
        let check = Check::wrong(SYSTEM, "tables", &place, "a rebuild of the star has not ended".to_owned());
        let check = check.why("some tables are exchanged and others are not: nothing reads or writes them");
        checks.push(check.fix("if it is not running any more, `kassa rebuild --apply` completes it"));
        return Store { checks, ..Store::default() };
    }
    let sinks = match sinks(config, &objects, clock) {
        Ok(sinks) => sinks,
        Err(error) => {
            let check = Check::wrong(SYSTEM, "tables", &place, format!("cannot be read: {error}"));
            let fix = match error {
                kassa_lake::LogError::Newer(_) => kassa_model::Newer::FIX,
                _ => "`kassa prove` shows what is intact and what is not",
            };
            checks.push(check.why("a start continues at their positions").fix(fix));
            return Store { checks, ..Store::default() };
        }
    };
    let begun = sinks.first().map_or(0, |(_, positions)| positions.len());
    checks.push(Check::ok(SYSTEM, "tables", &place, format!("readable; {begun} partitions in the archive")));
    let ids = TopicIds::new(objects);
    let topics = config.streams.iter().map(|stream| &stream.topic);
    // Partitions that began over and have no record yet are at 0.
    let epochs: Vec<_> = topics.clone().filter_map(|topic| ids.epochs(topic).ok()).collect();
    let completed = |positions: &Positions| epochs.iter().fold(positions.clone(), |held, epochs| epochs.complete(&held));
    let sinks = sinks.into_iter().map(|(name, positions)| (name, completed(&positions))).collect();
    let topic_ids = topics.filter_map(|topic| Some((topic.clone(), ids.known(topic).ok().flatten()?))).collect();
    Store { checks, sinks, topic_ids }
}

/// The positions of archive and star schema. Opening them writes nothing.
fn sinks(
    config: &Config,
    objects: &Objects,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<(&'static str, Positions)>, kassa_lake::LogError> {
    let contracts: std::collections::HashMap<Arc<str>, _> =
        config.streams.iter().map(|stream| (Arc::from(stream.topic.as_str()), stream.contract)).collect();
    kassa_lake::format::check(objects.as_ref())?;
    let topics: Vec<Arc<str>> = contracts.keys().cloned().collect();
    let archive = ArchiveSink::open(Arc::clone(objects), &topics, Arc::clone(clock))?;
    let star = StarSink::open(objects, contracts, Arc::clone(clock))?;
    Ok(vec![(archive.name(), archive.positions()), (star.name(), star.positions())])
}

fn bucket(config: &Config, s3: &kassa_config::S3, clock: &Arc<dyn Clock>) -> (Vec<Check>, Option<Objects>) {
    let server = s3.endpoint.as_deref().unwrap_or("Amazon S3");
    let place = format!("{} at {server}", config.lake.place);
    let options = kassa_lake::S3Options { patience: PATIENCE, ..wiring::bucket(s3, &config.data_dir) };
    let before = clock.now();
    let examined = S3::open(&options).and_then(|bucket| Ok((bucket.examine()?, bucket)));
    let (examined, bucket) = match examined {
        Ok(examined) => examined,
        Err(error) => return (vec![refused(&place, server, &error)], None),
    };
    let rights = if examined.may_delete {
        "the keys may list, put, get and delete; conditional PUT works"
    } else {
        "the keys may list, put and get, and conditional PUT works; they may not delete: replaced files stay, as does `_kassa/doctor`"
    };
    // The object was written between these two moments; its time is in whole seconds.
    let after = clock.now();
    let ours = examined.server_time.clamp(before - 1_000_000, after);
    let checks = vec![Check::ok(SYSTEM, "bucket", &place, rights), clock::check(SYSTEM, &place, ours, examined.server_time)];
    (checks, Some(Arc::new(bucket)))
}

fn refused(place: &str, server: &str, error: &io::Error) -> Check {
    let check = Check::wrong(SYSTEM, "bucket", place, error.to_string()).why("archive and star schema are written there");
    match Refused::of(error) {
        Some(refused) => check.fix(refused.fix.clone()),
        None => check.fix(format!("check that {server} runs, and that `lake.s3.endpoint` has its host and port")),
    }
}
