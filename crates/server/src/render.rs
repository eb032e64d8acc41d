//! An answer as JSON, in the form that the HTTP API and the command line share.

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

/// Renders the answer with its positions and the time (µs UTC) at which it was given.
pub fn render(answer: &Answer, positions: &Positions, as_of: i64) -> Value {
    let places = positions.iter().map(|(partition, next)| Place {
        topic: &partition.topic,
        partition: partition.number.to_string(),
        next: next.to_string(),
    });
    // The value contains only texts, numbers and text keys, which JSON can always represent.
    serde_json::to_value(Rendered { answer, as_of, positions: places.collect() }).unwrap_or_default()
}
