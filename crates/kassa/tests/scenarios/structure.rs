//! Promises of ARCHITECTURE.md that the compiler does not check.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::root;

mod imports;

fn dependencies(metadata: &Value, name: &str) -> BTreeSet<String> {
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|package| package["name"] == name).unwrap_or_else(|| panic!("no crate {name}"));
    let dependencies = package["dependencies"].as_array().expect("dependencies").iter();
    dependencies
        .filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| dependency["name"].as_str().expect("a name").to_owned())
        .collect()
}

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo metadata");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The folders of the workspace's members, relative to its root.
fn members(metadata: &Value) -> BTreeSet<String> {
    let packages = metadata["packages"].as_array().expect("packages").iter();
    let manifests = packages.map(|package| Path::new(package["manifest_path"].as_str().expect("a path")));
    let root = Path::new(metadata["workspace_root"].as_str().expect("a path"));
    let folders = manifests.map(|manifest| manifest.parent().expect("a folder").strip_prefix(root).expect("below the root"));
    folders.map(|folder| folder.to_str().expect("UTF-8").replace('\\', "/")).collect()
}

#[test]
fn the_code_map_names_every_crate_once_and_no_other() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("a page");
    let (_, rest) = page.split_once("## Code map").expect("a code map");
    let (map, _) = rest.split_once("\n## ").expect("its end");
    let rows = map.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    // The dashboard is not a crate.
    let named: Vec<String> = rows.map(|(name, _)| name.to_owned()).filter(|name| name != "dashboard").collect();
    let once: BTreeSet<String> = named.iter().cloned().collect();
    assert_eq!(once, members(&metadata()));
    assert_eq!(once.len(), named.len(), "a crate is named twice: {named:?}");
}

#[test]
fn no_files_of_a_crate_import_each_other_in_a_circle() {
    let mut found = Vec::new();
    for member in members(&metadata()) {
        let name = member.strip_prefix("crates/").unwrap_or(&member);
        let circles = imports::circles(&root().join(&member).join("src"));
        found.extend(circles.iter().map(|circle| format!("{name}: {}", circle.imports.join(", "))));
    }
    assert!(found.is_empty(), "files import each other in a circle:\n{}", found.join("\n"));
}

#[test]
fn pure_crates_stay_pure_and_adapters_do_not_import_each_other() {
    let metadata = metadata();
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
    // The pipeline's state is rebuilt from the lake; other stores of rows are behind a port.
    assert_eq!(of_kassa("kassa-engine"), only(&["kassa-analytics", "kassa-lake", "kassa-model", "kassa-pipeline"]));
    // The query engine reads the lake's tables; the lake builds without the engine.
    assert_eq!(of_kassa("kassa-query"), only(&["kassa-analytics", "kassa-lake", "kassa-model"]));
    assert!(!dependencies(&metadata, "kassa-lake").contains("datafusion"));
    for pure in
        ["kassa-model", "kassa-analytics", "kassa-pipeline", "kassa-source", "kassa-config", "kassa-kafka", "kassa-warehouse"]
    {
        let heavy = only(&["datafusion", "deltalake-core", "tokio", "axum"]);
        assert!(dependencies(&metadata, pure).is_disjoint(&heavy), "{pure} must build in seconds");
    }
    for io in ["kassa-model", "kassa-analytics"] {
        assert!(dependencies(&metadata, io).is_disjoint(&only(&["tokio", "rustix", "object_store"])), "{io} does no IO");
    }
    // The program must not contain the test servers.
    let users =
        metadata["packages"].as_array().expect("packages").iter().map(|package| package["name"].as_str().expect("a name"));
    let users: Vec<&str> = users.filter(|name| *name != "kassa-bench" && of_kassa(name).contains("kassa-stack")).collect();
    assert!(users.is_empty(), "{users:?} ship the test servers");
}

fn sources(folder: &Path, take: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, take);
        } else {
            take(&path);
        }
    }
}

/// Otherwise the seeded tests could not run the engine in virtual time.
#[test]
fn the_engine_reads_no_clock_and_never_sleeps_but_by_its_port() {
    let (mut read, mut found) = (0, Vec::new());
    sources(&root().join("crates/engine/src"), &mut |path| {
        let text = std::fs::read_to_string(path).expect("a source file");
        read += 1;
        let calls = ["Instant::now", "SystemTime::now", "SystemClock", ".elapsed()", "thread::sleep"];
        found.extend(calls.iter().filter(|call| text.contains(**call)).map(|call| (path.to_owned(), *call)));
    });
    let ticks = root().join("crates/engine/src/ticks.rs");
    let elsewhere: Vec<_> = found.iter().filter(|(path, _)| *path != ticks).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
    assert!(read > 20 && found.len() == 3, "{read} files were read, and the system's clock was found as {found:?}");
}
