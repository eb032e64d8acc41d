//! The parameters of a URL: only valid ones, each once. If one were ignored, the answer would be to
//! a different question.

use std::ops::RangeInclusive;

use axum::extract::Query;
use axum::extract::rejection::PathRejection;
use axum::http::Uri;
use kassa_model::nearest::nearest;

use crate::refusal::Refusal;

/// The values of `names`, in the same order.
pub(crate) fn parameters<const N: usize>(uri: &Uri, names: [&str; N]) -> Result<[Option<String>; N], Refusal> {
    let given = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| Refusal::bad_parameter("the query is not name=value&…", "percent-encode what is not a letter or digit"))?;
    let mut values = [const { None }; N];
    for (name, value) in given.0 {
        let Some(at) = names.iter().position(|known| *known == name) else {
            let hint = nearest(&name, names).map_or_else(|| valid(&names), |near| format!("did you mean `{near}`?"));
            return Err(Refusal::bad_parameter(format!("there is no parameter `{name}`"), hint));
        };
        if values[at].replace(value).is_some() {
            return Err(Refusal::bad_parameter(format!("`{name}` is given twice"), "give it once"));
        }
    }
    Ok(values)
}

fn valid(names: &[&str]) -> String {
    format!("valid here: {}", names.join(", "))
}

/// A number within bounds.
pub(crate) fn number(name: &str, text: Option<String>, bounds: RangeInclusive<usize>, default: usize) -> Result<usize, Refusal> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(default) };
    text.parse().ok().filter(|number| bounds.contains(number)).ok_or_else(|| {
        let most = if *bounds.end() == usize::MAX { String::new() } else { format!(" to {}", bounds.end()) };
        Refusal::bad_parameter(format!("{name}={text}"), format!("`{name}` is a number from {}{most}", bounds.start()))
    })
}

/// The name in the path.
pub(crate) fn segment(path: Result<axum::extract::Path<String>, PathRejection>) -> Result<String, Refusal> {
    path.map(|axum::extract::Path(name)| name)
        .map_err(|_| Refusal::bad_parameter("the address is not UTF-8", "percent-encode the name as UTF-8"))
}
