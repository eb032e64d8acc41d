//! An answer in JSON: the one form that the HTTP API and the command line give it.

use kassa_analytics::Answer;
use kassa_model::Positions;
use serde::Serialize;
use serde_json::Value;

use crate::status::moment;

#[derive(Serialize)]
struct Rendered<'a> {
    #[serde(flatten)]
    answer: &'a Answer,
    #[serde(serialize_with = "moment")]
    as_of: i64,
    positions: Vec<Place<'a>>,
}

#[derive(Serialize)]
struct Place<'a> {
    topic: &'a str,
    partition: String,
    next: String,
}

/// The answer, with the positions that it was computed at and the time (µs UTC) that it was given at.
pub fn render(answer: &Answer, positions: &Positions, as_of: i64) -> Value {
    let places = positions.iter().map(|(partition, next)| Place {
        topic: &partition.topic,
        partition: partition.number.to_string(),
        next: next.to_string(),
    });
    // Texts, numbers and keys that are texts: there is nothing in it that JSON cannot say.
    serde_json::to_value(Rendered { answer, as_of, positions: places.collect() }).unwrap_or_default()
}
