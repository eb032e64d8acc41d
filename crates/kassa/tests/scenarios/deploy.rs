//! Everything that is shipped for deployment is correct: the compose file, its configuration, the image.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::harness::{KASSA, root};

fn compose() -> Value {
    let text = std::fs::read_to_string(root().join("deploy/compose/compose.yaml")).expect("a compose file");
    serde_saphyr::from_str(&text).expect("YAML")
}

fn configuration() -> toml::Table {
    let text = std::fs::read_to_string(root().join("deploy/compose/kassa.toml")).expect("a configuration");
    text.parse().expect("TOML")
}

fn services(compose: &Value) -> impl Iterator<Item = (&str, &Value)> {
    compose["services"].as_object().expect("services").iter().map(|(name, service)| (name.as_str(), service))
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().map_or_else(Vec::new, |texts| texts.iter().filter_map(Value::as_str).collect())
}

/// A service that runs to its end is waited for by its success, and has no health to check.
fn ends(compose: &Value, name: &str) -> bool {
    services(compose).any(|(_, service)| service["depends_on"][name]["condition"] == "service_completed_successfully")
}

#[test]
fn every_service_is_pinned_checked_and_there() {
    let compose = compose();
    let names: BTreeSet<&str> = services(&compose).map(|(name, _)| name).collect();
    assert_eq!(names, BTreeSet::from(["kafka", "kassa", "postgres", "registry", "s3", "topics"]));
    let volumes = compose["volumes"].as_object().expect("volumes");
    for (name, service) in services(&compose) {
        let tag = service["image"].as_str().map(|image| image.rsplit_once(':').map_or("", |(_, tag)| tag));
        let is_pinned = tag.map(|tag| tag.contains(|of: char| of.is_ascii_digit()) && tag != "latest");
        assert!(is_pinned.unwrap_or(service["build"].is_object()), "{name} takes whatever image is the latest");
        let check = &service["healthcheck"];
        if ends(&compose, name) {
            assert_eq!(check["disable"], true, "{name} ends: it has no health");
        } else {
            let test = texts(&check["test"]);
            assert!(matches!(test.first(), Some(&"CMD" | &"CMD-SHELL")) && test.len() > 1, "{name} has no health check");
            assert!(
                check["retries"].as_i64() > Some(0) && check["interval"].is_string() && check["timeout"].is_string(),
                "{name}"
            );
        }
        for (other, needed) in service["depends_on"].as_object().into_iter().flatten() {
            assert!(names.contains(other.as_str()), "{name} depends on {other}, which is not there");
            let condition = if ends(&compose, other) { "service_completed_successfully" } else { "service_healthy" };
            assert_eq!(needed["condition"], condition, "{name} on {other}");
        }
        for volume in texts(&service["volumes"]) {
            let source = volume.split(':').next().unwrap_or_default();
            let is_there = if source.starts_with('.') {
                root().join("deploy/compose").join(source).exists()
            } else {
                volumes.contains_key(source)
            };
            assert!(is_there, "{name} mounts {source}, which is not there");
        }
    }
    let mounted: BTreeSet<&str> = services(&compose)
        .flat_map(|(_, service)| texts(&service["volumes"]))
        .filter_map(|volume| volume.split(':').next())
        .collect();
    assert!(volumes.keys().all(|name| mounted.contains(name.as_str())), "a volume that nobody mounts");
}

/// The port that a service publishes to this host, and the service's own.
fn published(compose: &Value) -> Vec<(String, u16, u16)> {
    let of = |(name, service): (&str, &Value)| -> Vec<(String, u16, u16)> {
        let ports = texts(&service["ports"]).into_iter().map(|port| {
            let parts: Vec<&str> = port.split(':').collect();
            assert_eq!((parts.len(), parts[0]), (3, "127.0.0.1"), "{name} publishes {port} to others");
            (name.to_owned(), parts[1].parse().expect("a port"), parts[2].parse().expect("a port"))
        });
        ports.collect()
    };
    services(compose).flat_map(of).collect()
}

/// The port in `scheme://[user@]host:port/…`.
fn port_of(url: &str) -> u16 {
    let rest = url.split_once("://").expect("a URL").1;
    rest.split('/').next().and_then(|host| host.rsplit_once(':')).expect("a port").1.parse().expect("a number")
}

#[test]
fn the_configuration_names_what_the_services_publish() {
    let (compose, config) = (compose(), configuration());
    let published = published(&compose);
    let at = |url: &toml::Value| port_of(url.as_str().expect("a text"));
    for (service, port) in [
        ("kafka", at(&config["source"]["url"])),
        ("registry", at(&config["registry"]["url"])),
        ("s3", at(&config["lake"]["s3"]["endpoint"])),
        ("postgres", at(&config["warehouse"]["url"])),
    ] {
        assert!(
            published.iter().any(|(name, outer, _)| name == service && *outer == port),
            "{service} does not publish {port}: {published:?}"
        );
    }
    let kafka = &compose["services"]["kafka"]["environment"];
    let advertised = kafka["KAFKA_ADVERTISED_LISTENERS"].as_str().expect("listeners");
    assert!(advertised.contains(&format!("HOST://localhost:{}", at(&config["source"]["url"]))), "{advertised}");
    let listened = kafka["KAFKA_LISTENERS"].as_str().expect("listeners");
    let (_, _, inner) = published.iter().find(|(name, ..)| name == "kafka").expect("kafka's port");
    assert!(listened.contains(&format!("HOST://:{inner}")), "{listened}");
    // kassa's data outlives its container.
    let kept = config["data_dir"].as_str().expect("a folder");
    assert!(texts(&compose["services"]["kassa"]["volumes"]).contains(&&*format!("kassa:{kept}")), "{kept} is on no volume");
    // User and database are those that the server makes.
    let postgres = &compose["services"]["postgres"]["environment"];
    let url = config["warehouse"]["url"].as_str().expect("a text");
    let (user, database) =
        (postgres["POSTGRES_USER"].as_str().expect("a user"), postgres["POSTGRES_DB"].as_str().expect("a database"));
    assert!(url.starts_with(&format!("postgres://{user}@")) && url.ends_with(&format!("/{database}")), "{url}");
    let bucket = config["lake"]["url"]
        .as_str()
        .and_then(|url| url.strip_prefix("s3://"))
        .and_then(|rest| rest.split('/').next())
        .expect("a bucket");
    let made = texts(&compose["services"]["s3"]["healthcheck"]["test"]).join(" ");
    assert!(made.contains(&format!("/data/{bucket}")), "nobody makes the bucket {bucket}: {made}");
    // The topics that are made are those of the streams that kassa has where none are named.
    let shown = Command::new(KASSA)
        .args(["config", "show", "-c"])
        .arg(root().join("deploy/compose/kassa.toml"))
        .envs(secrets(&compose))
        .output()
        .expect("started");
    let shown = String::from_utf8(shown.stdout).expect("UTF-8");
    let script = texts(&compose["services"]["topics"]["command"]).join(" ");
    let list = script.split_once("for topic in ").and_then(|(_, rest)| rest.split_once(';')).expect("the topics").0;
    let topics: BTreeSet<&str> = list.split_whitespace().collect();
    let wanted: BTreeSet<&str> =
        shown.lines().filter_map(|line| line.split_once(".topic ")).map(|(_, name)| name.trim().trim_matches('"')).collect();
    assert_eq!(topics, wanted, "{shown}");
}

/// The variables that kassa's service is given.
fn secrets(compose: &Value) -> Vec<(String, String)> {
    let environment = compose["services"]["kassa"]["environment"].as_object().expect("an environment");
    environment.iter().map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned())).collect()
}

#[test]
fn the_configuration_is_accepted_with_the_variables_that_the_service_is_given() {
    let file = root().join("deploy/compose/kassa.toml");
    let check = |env: &[(String, String)]| {
        let output = Command::new(KASSA).args(["check", "-c"]).arg(&file).envs(env.iter().cloned()).output().expect("started");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let given = secrets(&compose());
    let (code, words) = check(&given);
    assert_eq!(code, Some(0), "{words}");
    for at in 0..given.len() {
        let fewer: Vec<_> = given.iter().enumerate().filter(|(nth, _)| *nth != at).map(|(_, pair)| pair.clone()).collect();
        assert_eq!(check(&fewer).0, Some(78), "{} is given, and nothing takes it", given[at].0);
    }
}

#[test]
fn the_image_is_built_from_what_is_there_by_the_makefiles_own_command() {
    let dockerfile = std::fs::read_to_string(root().join("deploy/image/Dockerfile")).expect("a Dockerfile");
    let makefile = std::fs::read_to_string(root().join("Makefile")).expect("a Makefile");
    for line in dockerfile.lines().filter(|line| line.starts_with("FROM ")) {
        let image = line.split_whitespace().nth(1).expect("an image");
        assert!(image.split_once(':').is_some_and(|(_, tag)| tag != "latest"), "{line}");
    }
    for line in dockerfile.lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from=")) {
        let mut words: Vec<&str> = line.split_whitespace().skip(1).collect();
        words.pop();
        assert!(!words.is_empty() && words.iter().all(|source| root().join(source).exists()), "{line}");
    }
    let build = "cargo build --locked --release -p kassa";
    assert!(dockerfile.contains(build) && makefile.contains(build), "the image is built otherwise than `make build` does");
    let version = rust_of(&dockerfile);
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    assert!(manifest.contains(&format!("rust-version = \"{version}\"")), "the image has Rust {version}");
    let ignored = std::fs::read_to_string(root().join("deploy/image/Dockerfile.dockerignore")).expect("what is left out");
    assert!(["target", "dashboard/node_modules"].iter().all(|folder| ignored.lines().any(|line| line == *folder)), "{ignored}");
    let compose = compose();
    let context =
        root().join("deploy/compose").join(compose["services"]["kassa"]["build"]["context"].as_str().expect("a context"));
    assert!(context.join(compose["services"]["kassa"]["build"]["dockerfile"].as_str().expect("a file")).is_file());
}

fn rust_of(dockerfile: &str) -> &str {
    let rest = dockerfile.split_once("FROM rust:").expect("Rust").1;
    rest.split('-').next().expect("a version")
}
