use std::collections::BTreeSet;

use kassa_config::LoadOptions;

use super::*;

const NONE: Durable = Durable { archive: false, lake: false, warehouse: false };

fn fed(durable: Durable) -> Vec<&'static str> {
    ALL.into_iter().filter(|sink| sink.is_fed(durable)).map(Registration::name).collect()
}

#[test]
fn each_durable_sink_is_fed_by_its_own_flag_and_live_by_none() {
    assert_eq!(fed(NONE), [""; 0]);
    for sink in ALL {
        let mut chosen = NONE;
        sink.feed(&mut chosen);
        assert_eq!(fed(chosen), if sink.name() == LIVE { vec![] } else { vec![sink.name()] });
    }
    let names: BTreeSet<&str> = ALL.into_iter().map(Registration::name).collect();
    assert_eq!(names.len(), ALL.len(), "two sinks have one name");
    assert_eq!(fed(Durable::ALL).len(), ALL.len() - 1);
}

#[test]
fn each_sink_commits_in_its_own_interval() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kassa.toml");
    let text =
        "[lake]\ncommit_interval = \"3s\"\n[warehouse]\nurl = \"postgres://kassa@127.0.0.1/shop\"\ncommit_interval = \"7s\"\n";
    std::fs::write(&file, text).unwrap();
    let options = LoadOptions { path: Some(file), working_dir: dir.path().to_owned(), ..LoadOptions::default() };
    let config = Config::load(&options).unwrap().0;
    let names: Vec<&str> = fed_by(&config, Durable::ALL).map(Registration::name).collect();
    assert_eq!(names, ["archive", "lake", "warehouse"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let without = Config::load(&LoadOptions { working_dir: elsewhere.path().to_owned(), ..LoadOptions::default() }).unwrap().0;
    assert_eq!(fed_by(&without, Durable::ALL).count(), 2, "it has no warehouse");
    let intervals = ALL.map(|sink| (sink.name(), sink.interval(&config).as_millis()));
    assert_eq!(intervals, [("archive", 3_000), ("lake", 3_000), ("warehouse", 7_000), ("live", 20)]);
}
