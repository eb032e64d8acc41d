//! The promises of ARCHITECTURE.md that a compiler does not keep.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::harness::root;

fn dependencies(metadata: &Value, name: &str) -> BTreeSet<String> {
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|package| package["name"] == name).unwrap_or_else(|| panic!("no crate {name}"));
    let dependencies = package["dependencies"].as_array().expect("dependencies").iter();
    dependencies
        .filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| dependency["name"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn pure_crates_stay_pure_and_adapters_do_not_know_each_other() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo metadata");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let of_kassa = |name: &str| -> BTreeSet<String> {
        dependencies(&metadata, name).into_iter().filter(|dependency| dependency.starts_with("kassa-")).collect()
    };
    let only = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    assert_eq!(of_kassa("kassa-model"), only(&[]));
    assert_eq!(of_kassa("kassa-analytics"), only(&["kassa-model"]));
    assert_eq!(of_kassa("kassa-pipeline"), only(&["kassa-model"]));
    assert_eq!(of_kassa("kassa-kafka"), only(&["kassa-model"]));
    assert_eq!(of_kassa("kassa-redshift"), only(&["kassa-model"]));
    assert_eq!(of_kassa("kassa-stack"), only(&[]));
    let adapters = ["kassa-source", "kassa-lake", "kassa-mapping", "kassa-server", "kassa-kafka", "kassa-warehouse"];
    for adapter in adapters {
        let forbidden = only(&[&adapters[..], &["kassa-config", "kassa-stack"]].concat());
        assert!(of_kassa(adapter).is_disjoint(&forbidden), "{adapter} imports another adapter");
    }
    // What the pipeline remembers comes from the lake; what else holds it is a port.
    assert_eq!(of_kassa("kassa-engine"), only(&["kassa-analytics", "kassa-lake", "kassa-model", "kassa-pipeline"]));
    // The query engine reads what the lake has written, and the lake builds without it.
    assert_eq!(of_kassa("kassa-query"), only(&["kassa-analytics", "kassa-lake", "kassa-model"]));
    assert!(!dependencies(&metadata, "kassa-lake").contains("datafusion"));
    for pure in
        ["kassa-model", "kassa-analytics", "kassa-pipeline", "kassa-source", "kassa-config", "kassa-kafka", "kassa-warehouse"]
    {
        let heavy = only(&["datafusion", "deltalake-core", "tokio", "axum"]);
        assert!(dependencies(&metadata, pure).is_disjoint(&heavy), "{pure} is to build in seconds");
    }
    for io in ["kassa-model", "kassa-analytics"] {
        assert!(dependencies(&metadata, io).is_disjoint(&only(&["tokio", "rustix", "object_store"])), "{io} does no IO");
    }
    // What the tests start is nothing that the program is made of.
    let users =
        metadata["packages"].as_array().expect("packages").iter().map(|package| package["name"].as_str().expect("a name"));
    let users: Vec<&str> = users.filter(|name| *name != "kassa-bench" && of_kassa(name).contains("kassa-stack")).collect();
    assert!(users.is_empty(), "{users:?} ship the test servers");
}
