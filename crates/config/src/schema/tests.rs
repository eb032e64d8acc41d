use super::*;
use crate::keys::KEYS;

#[test]
fn every_key_is_in_the_schema() {
    let schema = schema();
    for key in KEYS {
        let words: Vec<&str> = key.path.split('.').collect();
        let table = |section: &str| schema["properties"][section].clone();
        let property = match words[..] {
            [word] => schema["properties"][word].clone(),
            [section, "*", word] => {
                table(section)["patternProperties"]["^[a-z][a-z0-9]*(_[a-z0-9]+)*$"]["properties"][word].clone()
            }
            [section, inner, word] => table(section)["properties"][inner]["properties"][word].clone(),
            [section, word] => table(section)["properties"][word].clone(),
            _ => panic!("{}", key.path),
        };
        assert_eq!(property["description"], key.doc, "{}", key.path);
    }
}

#[test]
fn the_schema_has_number_types_and_required_keys() {
    let schema = schema();
    let rows = &schema["properties"]["lake"]["properties"]["commit_rows"];
    assert_eq!((rows["type"].as_str(), rows["default"].as_u64()), (Some("integer"), Some(200_000)));
    let lookup = &schema["properties"]["lookups"]["patternProperties"]["^[a-z][a-z0-9]*(_[a-z0-9]+)*$"];
    assert_eq!(lookup["required"], json!(["file", "key"]));
    assert_eq!(schema["additionalProperties"], false);
}
