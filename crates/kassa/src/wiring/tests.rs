use kassa_config::LoadOptions;

use super::*;

fn config(dir: &Path, text: &str) -> Config {
    let file = dir.join("kassa.toml");
    std::fs::write(&file, text).unwrap();
    let options = LoadOptions { path: Some(file), working_dir: dir.to_owned(), env: Vec::new(), overrides: Vec::new() };
    Config::load(&options).unwrap().0
}

const STREAMS: &str = "[streams.clicks]\ncontract = \"event\"\ndedupe_window = \"1d\"\n\
    [streams.taps]\ncontract = \"event\"\ndedupe_window = \"3d\"\n\
    [streams.stock]\ncontract = \"inventory\"\ndedupe_window = \"12h\"\n\
    [streams.orders]\ncontract = \"order\"\ndedupe_window = \"30d\"\n";

#[test]
fn streams_of_one_contract_share_the_longest_window() {
    let dir = tempfile::TempDir::new().unwrap();
    let config = config(dir.path(), STREAMS);
    let windows: Vec<_> = event_windows(&config).into_iter().collect();
    assert_eq!(windows, [(Contract::Event, 3 * time::DAY), (Contract::Inventory, time::DAY / 2)], "money has none");
    assert_eq!(index_options(&config, None).unwrap().event_window_us, 3 * time::DAY);
}

#[test]
fn a_checkpoint_belongs_to_its_windows_and_its_keyring() {
    let dir = tempfile::TempDir::new().unwrap();
    let place_of = |text: &str, keyring: Keyring| format!("{:?}", checkpoints(&config(dir.path(), text), &keyring, 0));
    let place = |text: &str| place_of(text, Keyring::keyed([7; 16]));
    let before = place(STREAMS);
    assert_eq!(place(STREAMS), before);
    assert_ne!(place(&STREAMS.replace("\"12h\"", "\"13h\"")), before);
    assert_eq!(place(&STREAMS.replace("\"1d\"", "\"2d\"")), before, "the other stream's window is longer");
    assert_ne!(place_of(STREAMS, Keyring::keyed([8; 16])), before, "the state of a lake with another secret");
    assert_ne!(place_of(STREAMS, Keyring::unkeyed([7; 16])), before);
}
