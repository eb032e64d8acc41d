//! This machine, and the configuration itself.

use std::net::TcpListener;

use super::diagnose;
use crate::harness::Shop;

#[test]
fn conflicts_on_this_machine_are_reported() {
    let shop = Shop::new("[streams.orders]\n[server]\nlisten = \"127.0.0.1:0\"\n");
    let report = diagnose(&shop);
    report.is_well("settings").is_well("lake").reports(("ok", "machine"), "no kassa is running", "");
    assert_eq!(report.code, Some(0));
    assert!(!shop.data().exists(), "it creates nothing");
    // First another program uses the address, then a running kassa, which is fine.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let shop = Shop::new(&format!("[streams.orders]\n[server]\nlisten = \"{address}\"\n"));
    let report = diagnose(&shop);
    report.reports(("wrong", "machine"), "cannot be listened on", "server.listen");
    assert_eq!(report.code, Some(1));
    let table = String::from_utf8(shop.run(&["doctor"]).stdout).expect("UTF-8");
    assert!(table.contains("wrong    machine") && table.contains("           fix    stop that program"), "{table}");
    assert!(table.trim_end().ends_with("1 wrong"), "{table}");
    drop(taken);
    let server = shop.serve();
    diagnose(&shop).reports(("ok", "machine"), "a kassa is running there", "").is_well("lake");
    server.stop();
}

#[test]
fn unwritable_folders_and_contradicting_settings_are_reported() {
    let shop = Shop::new(
        "[collector]\nmax_record = \"2MiB\"\n[log]\ncapacity = \"1000000GB\"\n[lake]\nurl = \"file:/proc/lake\"\n\
         [streams.orders]\nformat = \"avro\"\n[streams.payments]\nmax_record = \"64KiB\"\n",
    );
    let report = diagnose(&shop);
    report.reports(("wrong", "lake"), "not writable", "give the user that runs kassa the right to write to /proc");
    report.reports(("warning", "machine"), "free", "lower it, or free some space");
    report.reports(("wrong", "settings"), "orders are Avro, but there is no registry", "[registry]");
    report.reports(("warning", "settings"), "`streams.payments.max_record` is 65536", "the same limit");
}

#[test]
fn configuration_mistakes_are_reported_before_any_check() {
    let shop = Shop::new("[streams.orders]\ntopik = \"x\"\n");
    let report = diagnose(&shop);
    report.reports(("wrong", "settings"), "topik", "topic");
    assert_eq!(report.code, Some(78));
}
