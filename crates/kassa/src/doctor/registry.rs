//! The schema registry: whether it answers as one, and has the subjects of the Avro streams.

use kassa_config::{Config, Format};
use kassa_kafka::registry::RegistryError;

use super::Check;
use crate::{failure, schemas};

const SYSTEM: &str = "registry";

pub fn checks(config: &Config) -> Vec<Check> {
    let Some(registry) = &config.registry else { return Vec::new() };
    let asked = schemas::client(registry).map_err(|error| failure::chain(&error));
    let subjects = match asked.map(|client| client.subjects()) {
        Ok(Ok(subjects)) => subjects,
        Ok(Err(error)) => return vec![refused(&registry.url, &error)],
        Err(why) => return vec![Check::wrong(SYSTEM, "URL", &registry.url, why).fix("correct [registry]")],
    };
    let mut checks = vec![Check::ok(SYSTEM, "connection", &registry.url, format!("{} subjects", subjects.len()))];
    let avro = config.streams.iter().filter(|stream| stream.format == Format::Avro);
    checks.extend(avro.filter_map(|stream| subject(&registry.url, &stream.topic, &subjects)));
    checks
}

fn refused(url: &str, error: &RegistryError) -> Check {
    let check = Check::wrong(SYSTEM, "connection", url, error.to_string());
    let check = match error {
        RegistryError::Unavailable { .. } => check.fix("check that it runs, and that `registry.url` has its host and port"),
        RegistryError::Credentials { .. } => {
            check.fix("correct `registry.user` and `registry.password`, or `registry.token`, and their rights in the registry")
        }
        error => check.fix(error.hint().unwrap_or_else(|| "correct `registry.url`".to_owned())),
    };
    check.why("Avro records wait for their schema: meanwhile nothing becomes a dead letter, and nothing is processed")
}

/// By default, producers name the subject of a topic's values after the topic.
fn subject(url: &str, topic: &str, subjects: &[String]) -> Option<Check> {
    let wanted = format!("{topic}-value");
    (!subjects.contains(&wanted)).then(|| {
        Check::warning(SYSTEM, &format!("subject {wanted}"), url, "is not registered")
            .why("the stream is Avro, but nobody has produced to its topic yet, or only with another subject")
            .fix("nothing, if its producers use other subjects: kassa finds schemas by the id in each record")
    })
}
