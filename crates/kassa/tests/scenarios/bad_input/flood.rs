//! More than the collector takes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::*;

const GIB: usize = 1 << 30;

/// Posts a gibibyte, stated or by chunks; the status it is answered with.
fn post_gib(address: &str, chunked: bool) -> u16 {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(300))).expect("a timeout");
    let length = if chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {GIB}") };
    write!(stream, "POST /v1/events HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{length}\r\n\r\n").expect("a request");
    let piece = vec![b' '; 1 << 20];
    for _ in 0..GIB / piece.len() {
        let head = if chunked { format!("{:x}\r\n", piece.len()) } else { String::new() };
        let tail = if chunked { "\r\n" } else { "" };
        // The server may close the way in once it has answered.
        if [head.as_bytes(), &piece, tail.as_bytes()].iter().any(|part| stream.write_all(part).is_err()) {
            break;
        }
    }
    stream.write_all(if chunked { b"0\r\n\r\n" } else { b"" }).unwrap_or_default();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap_or_default();
    String::from_utf8_lossy(&answer).split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// The most memory that the process has had, MiB.
fn peak_mib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") >> 10
}

#[test]
fn a_body_of_a_gibibyte_is_refused_in_bounded_memory() {
    let shop = Shop::new(CONFIG);
    let server = shop.serve();
    for chunked in [false, true] {
        assert_eq!(post_gib(&server.address, chunked), 413, "chunked: {chunked}");
    }
    let record = format!("{{\"x\":\"{}\"}}", "x".repeat(2 << 20));
    let (status, answer) = server.post("events", record.as_bytes()).expect("an answer");
    assert_eq!(
        (status, text(&answer["error"]["code"])),
        (413, "K013".to_owned()),
        "a record over the limit is refused at the door"
    );
    let records = "{}\n".repeat(400_000);
    let (status, _) = server.post("events", records.as_bytes()).expect("an answer");
    assert_eq!(status, 202, "many small bad records are only bad records");
    until_read(&server, 400_000);
    let peak = peak_mib(&server);
    assert!(peak <= 512, "{peak} MiB");
    server.stop();
    assert_eq!(counts(&shop, "events"), [400_000, 0, 0, 400_000]);
    shop.ok(&["prove"]);
}
