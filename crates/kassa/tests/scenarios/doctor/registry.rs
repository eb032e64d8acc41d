//! The schema registry.

use kassa_stack::Registry;
use kassa_stack::http_faults::{Fault, HttpFaults};

use super::told_with;
use crate::harness::Shop;

fn shop(url: &str) -> Shop {
    let login = "user = \"alice\"\npassword = \"env:REGISTRY_PASSWORD\"\n";
    Shop::new(&format!("[streams.orders]\nformat = \"avro\"\n[registry]\nurl = \"{url}\"\n{login}"))
}

#[test]
fn what_is_wrong_with_a_registry_is_told() {
    let told = |url: &str| told_with(&shop(url), &[("REGISTRY_PASSWORD", "alice-secret")]);
    told("http://127.0.0.1:1").says(("wrong", "registry"), "could not reach the schema registry", "registry.url");
    let registry = Registry::start().expect("a registry");
    let report = told(&registry.url());
    report.says(("ok", "registry"), "0 subjects", "");
    report.says(("warning", "registry"), "is not registered", "schemas are found by the id");
    // The server is there, and a registry is not at its root.
    let root = format!("http://{}", registry.address());
    told(&root).says(("wrong", "registry"), "does not answer as a schema registry", "below which /subjects");
    let proxy = HttpFaults::start(registry.address().parse().expect("an address")).expect("a proxy");
    let rule = proxy.on("GET", "/subjects", (1, 9), Fault::Answer(401, "Unauthorized"));
    let url = registry.url().replace(&registry.address(), proxy.endpoint().trim_start_matches("http://"));
    told(&url).says(("wrong", "registry"), "refused user alice (401)", "`registry.user` and `registry.password`");
    assert_eq!(rule.fired(), 1);
}
