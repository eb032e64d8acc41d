use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::routes;

/// Checks that an answer has the keys that its schema requires, and no others.
#[track_caller]
pub(crate) fn check_required(schema: &str, answer: &Value) {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let required = document["components"]["schemas"][schema]["required"].as_array().unwrap();
    let required: BTreeSet<_> = required.iter().map(|key| key.as_str().unwrap()).collect();
    let held: BTreeSet<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(held, required, "{schema}");
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(move |method| (path.clone(), method.clone())))
        .collect();
    let routed: BTreeSet<_> = routes::table().into_iter().map(|(path, method, _)| (path.to_owned(), method.to_owned())).collect();
    assert_eq!(described, routed);
}

#[test]
fn every_reference_leads_somewhere() {
    fn check(value: &Value, document: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(to) = fields.get("$ref") {
                    let pointer = to.as_str().unwrap().strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{pointer}");
                }
                fields.values().for_each(|value| check(value, document));
            }
            Value::Array(values) => values.iter().for_each(|value| check(value, document)),
            _ => {}
        }
    }
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    check(&document, &document);
}
