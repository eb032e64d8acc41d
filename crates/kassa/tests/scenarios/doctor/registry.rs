//! The schema registry.

use kassa_stack::Registry;
use kassa_stack::http_faults::{Fault, HttpFaults};

use super::diagnose_with;
use crate::harness::Shop;

fn shop(url: &str) -> Shop {
    let login = "user = \"alice\"\npassword = \"env:REGISTRY_PASSWORD\"\n";
    Shop::new(&format!("[streams.orders]\nformat = \"avro\"\n[registry]\nurl = \"{url}\"\n{login}"))
}

#[test]
fn problems_of_a_registry_are_reported() {
    let diagnose = |url: &str| diagnose_with(&shop(url), &[("REGISTRY_PASSWORD", "alice-secret")]);
    diagnose("http://127.0.0.1:1").reports(("wrong", "registry"), "could not reach the schema registry", "registry.url");
    let registry = Registry::start().expect("a registry");
    let report = diagnose(&registry.url());
    report.reports(("ok", "registry"), "0 subjects", "");
    report.reports(("warning", "registry"), "is not registered", "finds schemas by the id");
    // The server answers, but the registry is not at its root.
    let root = format!("http://{}", registry.address());
    diagnose(&root).reports(("wrong", "registry"), "does not answer as a schema registry", "the parent of /subjects");
    let proxy = HttpFaults::start(registry.address().parse().expect("an address")).expect("a proxy");
    let rule = proxy.on("GET", "/subjects", (1, 9), Fault::Answer(401, "Unauthorized"));
    let url = registry.url().replace(&registry.address(), proxy.endpoint().trim_start_matches("http://"));
    diagnose(&url).reports(("wrong", "registry"), "refused user alice (401)", "`registry.user` and `registry.password`");
    assert_eq!(rule.fired(), 1);
}
