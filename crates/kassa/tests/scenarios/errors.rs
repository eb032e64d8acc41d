//! The pages of runtime errors show kassa's output. `UPDATE_DOCS=1` rewrites their examples.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Output;

use crate::harness::{Shop, http, root};

const CONFIG: &str = "[streams.orders]\n[streams.sales]\nformat = \"csv\"\ncontract = \"order_line\"\n";
const LINES: &str =
    "order_id,line_id,product_id,quantity,unit_price,currency,occurred_at\n1001,1,A-1,2,4.50,GBP,2026-03-28T10:15:00Z\n";

fn page(code: &str) -> PathBuf {
    root().join("docs/errors").join(format!("{code}.md"))
}

/// Compares the page's example with the output.
#[track_caller]
fn check_example(code: &str, output: &str) {
    let text = fs::read_to_string(page(code)).expect("a page");
    let (before, rest) = text.split_once("```text\n").expect("an example");
    let (_, after) = rest.split_once("```").expect("its end");
    let true_page = format!("{before}```text\n{}\n```{after}", output.trim_end());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(page(code), &true_page).expect("written");
    } else {
        assert_eq!(text, true_page, "{code}: UPDATE_DOCS=1 rewrites it");
    }
}

/// Replaces what differs between machines: the folder, file names in the lake, the port.
fn plain(shop: &Shop, text: &str) -> String {
    let text = text.replace(&*shop.dir.path().to_string_lossy(), "/srv/shop");
    // Each data file has a name of its own.
    let mut parts = text.split("/part-");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| match part.split_once(".parquet") {
        Some((_, after)) => format!("{text}/part-….parquet{after}"),
        None => format!("{text}/part-{part}"),
    })
}

/// Runs a failing command and compares its output with the page's example.
#[track_caller]
fn fails(shop: &Shop, code: &str, args: &[&str]) -> Output {
    let output = shop.run(args);
    let words = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    assert!(!output.status.success() && words.contains(&format!("error[{code}]")), "{args:?} is not {code}: {words}");
    let quoted: Vec<String> =
        args.iter().map(|arg| if arg.contains(' ') { format!("\"{arg}\"") } else { (*arg).to_owned() }).collect();
    let said = words.lines().skip_while(|line| !line.starts_with("error[")).collect::<Vec<_>>().join("\n");
    check_example(code, &format!("$ kassa {}\n{}", quoted.join(" "), plain(shop, &said)));
    output
}

fn replayed() -> Shop {
    let shop = Shop::new(CONFIG);
    fs::write(shop.dir.path().join("export.csv"), LINES).expect("written");
    shop.ok(&["replay", "--stream", "sales", "export.csv"]);
    shop
}

#[test]
fn errors_that_stop_a_command_equal_their_pages() {
    let shop = replayed();
    fails(&shop, "K007", &["figures", "net_sale", "--by", "day"]);
    fails(&shop, "K008", &["sql", "DELETE FROM fact_sales"]);
    fails(&shop, "K033", &["sql", "SELECT repeat('x', 2000000000)"]);
    let format = shop.data().join("lake/_kassa/format");
    fs::write(&format, "3\n").expect("written");
    fails(&shop, "K026", &["figures", "net_sales"]);
    fs::write(&format, "2\n").expect("written");
    let marker = shop.data().join("lake/_kassa/rebuild");
    fs::write(&marker, "1774692900000000\n").expect("written");
    fails(&shop, "K027", &["figures", "net_sales"]);
    fs::remove_file(&marker).expect("removed");
    fs::write(shop.dir.path().join("export.csv.gz"), b"\x1f\x8b\x08\0\0\0\0\0\0\xffhalf").expect("written");
    fails(&shop, "K006", &["replay", "--stream", "sales", "export.csv.gz"]);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = shop.run(&["run", "--listen", &address]);
    let words = String::from_utf8(output.stderr).expect("UTF-8").replace(&address, "127.0.0.1:8080");
    check_example("K009", &format!("$ kassa run\n{words}"));
    let lock = File::options().write(true).open(shop.data().join("kassa.lock")).expect("a lock");
    lock.lock().expect("locked");
    fails(&shop, "K001", &["run"]);
}

#[test]
fn errors_of_damaged_data_equal_their_pages() {
    let shop = replayed();
    let table = shop.data().join("lake/DWH/fact_sales");
    let names = fs::read_dir(&table).expect("a table").map(|entry| entry.expect("an entry").path());
    let part = names.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "parquet")).expect("a file");
    fs::remove_file(part).expect("removed");
    fails(&shop, "K002", &["figures", "net_sales"]);
    let output = fails(&shop, "K010", &["prove"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("file_missing"));

    let shop = Shop::new(CONFIG);
    let server = shop.serve();
    for order in ["a", "b", "c"] {
        let record = format!(r#"{{"event_id":"{order}","occurred_at":"2026-03-28T10:15:00Z","order_id":"{order}"}}"#);
        assert_eq!(server.post("orders", record.as_bytes()).expect("an answer").0, 202);
    }
    server.stop();
    let log = shop.data().join("log/orders/0");
    let names = fs::read_dir(&log).expect("a log").map(|entry| entry.expect("an entry").path());
    let segment = names.into_iter().max_by_key(|path| path.metadata().expect("a file").len()).expect("a segment");
    let mut bytes = fs::read(&segment).expect("read");
    bytes[100] ^= 1;
    fs::write(&segment, bytes).expect("written");
    fails(&shop, "K003", &["run"]);

    let shop = Shop::new(CONFIG);
    fs::create_dir_all(shop.data()).expect("a folder");
    fs::write(shop.data().join("lake"), "a file, where the lake should be").expect("written");
    fails(&shop, "K004", &["run"]);
}

#[test]
fn refusals_of_requests_equal_their_pages() {
    let shop = Shop::new(CONFIG);
    let server = shop.serve();
    let large = format!(r#"{{"event_id":"{}"}}"#, "x".repeat(1 << 20));
    for (code, method, path, body) in [
        ("K011", "POST", "/v1/order", "{}"),
        ("K012", "POST", "/v1/orders", ""),
        ("K013", "POST", "/v1/orders", &large),
        ("K015", "GET", "/api/v1/figures/net_sales?from=2026-02-30", ""),
        ("K017", "GET", "/api/v1/figure", ""),
    ] {
        let (status, answer) = http(&server.address, method, path, body.as_bytes()).expect("an answer");
        let reason = match status {
            400 => "Bad Request",
            404 => "Not Found",
            _ => "Content Too Large",
        };
        let answer: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
        let error = &answer["error"];
        assert_eq!(error["code"], code);
        let said = format!(r#"{{"error": {{"code": "{code}", "message": {}, "hint": {}}}}}"#, error["message"], error["hint"]);
        check_example(code, &format!("HTTP/1.1 {status} {reason}\n\n{said}"));
    }
    server.stop();
}
