//! An answer as JSON, in the form that the HTTP API and the command line share.

use kassa_analytics::Answer;
use kassa_model::Positions;
use serde::Serialize;
use serde_json::Value;

use crate::json;
use crate::status::moment;

#[derive(Serialize)]
struct Rendered<'a> {
    #[serde(flatten)]
    answer: &'a Answer,
    #[serde(serialize_with = "moment")]
    as_of: i64,
    positions: Vec<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<usize>,
}

#[derive(Serialize)]
struct Place<'a> {
    topic: &'a str,
    partition: String,
    next: String,
}

/// Renders the answer with its positions and the time (µs UTC) at which it was given.
pub fn render(answer: &Answer, positions: &Positions, as_of: i64) -> Value {
    // The value contains only texts, numbers and text keys, which JSON can always represent.
    serde_json::to_value(rendered(answer, positions, as_of, None)).unwrap_or_default()
}

/// The JSON text of one page. `next`: the number of the first row of the following page, if there is one.
pub(crate) fn page(answer: &Answer, positions: &Positions, as_of: i64, next: Option<usize>) -> serde_json::Result<String> {
    json::text(&rendered(answer, positions, as_of, next))
}

fn rendered<'a>(answer: &'a Answer, positions: &'a Positions, as_of: i64, next: Option<usize>) -> Rendered<'a> {
    let places = positions.iter().map(|(partition, next)| Place {
        topic: &partition.topic,
        partition: partition.number.to_string(),
        next: next.to_string(),
    });
    Rendered { answer, as_of, positions: places.collect(), next }
}
