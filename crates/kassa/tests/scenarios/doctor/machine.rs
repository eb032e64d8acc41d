//! This machine, and the configuration itself.

use std::net::TcpListener;

use super::told;
use crate::harness::Shop;

#[test]
fn what_fights_on_this_machine_is_told() {
    let shop = Shop::new("[streams.orders]\n[server]\nlisten = \"127.0.0.1:0\"\n");
    let report = told(&shop);
    report.is_well("settings").is_well("lake").says(("ok", "machine"), "no kassa is at work", "");
    assert_eq!(report.code, Some(0));
    assert!(!shop.data().exists(), "it makes nothing");
    // Somebody else has the address; then a kassa has it, and all is well again.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let shop = Shop::new(&format!("[streams.orders]\n[server]\nlisten = \"{address}\"\n"));
    let report = told(&shop);
    report.says(("wrong", "machine"), "cannot be listened on", "server.listen");
    assert_eq!(report.code, Some(1));
    let table = String::from_utf8(shop.run(&["doctor"]).stdout).expect("UTF-8");
    assert!(table.contains("wrong    machine") && table.contains("           mend   end that program"), "{table}");
    assert!(table.trim_end().ends_with("1 wrong"), "{table}");
    drop(taken);
    let server = shop.serve();
    told(&shop).says(("ok", "machine"), "a kassa is at work there", "").is_well("lake");
    server.stop();
}

#[test]
fn folders_that_cannot_be_written_and_settings_that_fight_are_told() {
    let shop = Shop::new(
        "[collector]\nmax_record = \"2MiB\"\n[log]\ncapacity = \"1000000GB\"\n[lake]\nurl = \"file:/proc/lake\"\n\
         [streams.orders]\nformat = \"avro\"\n[streams.payments]\nmax_record = \"64KiB\"\n",
    );
    let report = told(&shop);
    report.says(("wrong", "lake"), "cannot be written", "give the user that runs kassa the right to write to /proc");
    report.says(("warning", "machine"), "are free", "lower it, or make room");
    report.says(("wrong", "settings"), "orders are Avro, and there is no registry", "[registry]");
    report.says(("warning", "settings"), "`streams.payments.max_record` is 65536", "the same bound");
}

#[test]
fn mistakes_of_the_configuration_are_told_before_anything_is_asked() {
    let shop = Shop::new("[streams.orders]\ntopik = \"x\"\n");
    let report = told(&shop);
    report.says(("wrong", "settings"), "topik", "topic");
    assert_eq!(report.code, Some(78));
}
