use super::*;

fn take(inputs: &[&str], record: &str) -> Result<(Vec<Option<String>>, String), DeadLetter> {
    let inputs: Vec<String> = inputs.iter().map(|name| (*name).to_owned()).collect();
    let mut extract = Extract::new(&inputs);
    extract.json(0, record.as_bytes())?;
    let cells = extract.columns.iter_mut().map(|column| column.finish());
    Ok((cells.map(|column| column.iter().next().flatten().map(str::to_owned)).collect(), extract.extras.remove(0)))
}

#[test]
fn inputs_are_texts_of_any_json_value() {
    let (cells, extra) = take(&["a", "b", "c", "d", "e", "f"], r#"{"a":"x\ty","b":1.50,"c":true,"d":[1, 2],"e":null}"#).unwrap();
    let expected = [Some("x\ty"), Some("1.50"), Some("true"), Some("[1, 2]"), None, None];
    assert_eq!(cells, expected.map(|cell| cell.map(str::to_owned)));
    assert_eq!(extra, "");
}

#[test]
fn a_path_reaches_in_and_a_key_with_a_dot_is_a_key() {
    let (cells, extra) =
        take(&["a.b", "a.c.d", "a.c.e", "x"], r#"{"a":{"b":1,"c":{"d":2,"z":3},"y":null},"x":{"k":1}}"#).unwrap();
    assert_eq!(cells, [Some("1"), Some("2"), None, Some(r#"{"k":1}"#)].map(|cell| cell.map(str::to_owned)));
    assert_eq!(extra, r#"{"a.c.z":3,"a.y":null}"#);
    assert_eq!(
        take(&["a.b"], r#"{"a.b":7,"a":[{"b":1}]}"#).unwrap(),
        (vec![Some("7".to_owned())], r#"{"a":[{"b":1}]}"#.to_owned())
    );
}

#[test]
fn an_object_that_is_an_input_itself_leaves_nothing_over() {
    let (cells, extra) = take(&["a", "a.b"], r#"{"a":{"b":1,"c":2}}"#).unwrap();
    assert_eq!(cells, [Some(r#"{"b":1,"c":2}"#), Some("1")].map(|cell| cell.map(str::to_owned)));
    assert_eq!(extra, "");
}

#[test]
fn an_input_that_appears_twice_is_refused_and_leaves_no_row() {
    for record in [r#"{"a":1,"a":2}"#, r#"{"a":null,"a":2}"#] {
        assert_eq!(take(&["a"], record).unwrap_err().reason, Reason::DuplicateField);
    }
    assert_eq!(take(&["a.b"], r#"{"a.b":1,"a":{"b":2}}"#).unwrap_err().field, "a.b");
    assert_eq!(take(&["x"], r#"{"a":1,"a":2,"x":1}"#).unwrap().1, r#"{"a":1,"a":2}"#, "unknown fields are kept both");
}
