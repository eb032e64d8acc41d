use super::*;

fn protocol(reader: i32, writer: i32, features: (&[&str], &[&str])) -> Protocol {
    let list = |names: &[&str]| (!names.is_empty()).then(|| names.iter().map(|name| (*name).to_owned()).collect());
    Protocol {
        min_reader_version: reader,
        min_writer_version: writer,
        reader_features: list(features.0),
        writer_features: list(features.1),
    }
}

#[test]
fn a_table_is_read_and_written_only_by_versions_and_features_that_are_supported() {
    let cases = [
        (protocol(1, 2, (&[], &[])), true, true),
        // Version 7 with the features of version 2, as other programs write it after they add a
        // feature and drop it again.
        (protocol(1, 7, (&[], &["appendOnly", "invariants"])), true, true),
        (protocol(3, 7, (&[], &["appendOnly"])), true, true),
        (protocol(1, 3, (&[], &[])), true, false),
        (protocol(1, 7, (&[], &["changeDataFeed"])), true, false),
        (protocol(2, 5, (&[], &[])), false, false),
        (protocol(3, 7, (&["deletionVectors"], &["deletionVectors"])), false, false),
        (protocol(9, 9, (&[], &[])), false, false),
    ];
    for (protocol, reads, writes) in cases {
        assert_eq!(protocol.may_read("DWH/spans").is_ok(), reads, "{protocol:?}");
        assert_eq!(protocol.may_write("DWH/spans").is_ok(), writes, "{protocol:?}");
    }
}

#[test]
fn a_refusal_names_the_table_what_it_needs_and_what_is_supported() {
    let error = protocol(3, 7, (&["deletionVectors"], &[])).may_read("DWH/fact_sales").expect_err("refused");
    assert_eq!(
        error.to_string(),
        "the table DWH/fact_sales has Delta reader version 3 (deletionVectors); this kassa supports reader version 1"
    );
}
