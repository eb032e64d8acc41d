//! A small HTTP/1.1 client for a collector on this machine: one connection, one request at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use kassa_model::{Code, Contract};
use kassa_source::shop::{Shop, stream_of};

use super::pace::Pace;
use crate::failure::Failure;

/// The approximate size of a request.
const BODY: usize = 256 * 1024;

/// A connection to a collector.
pub struct Client {
    host: String,
    stream: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(url: &str) -> anyhow::Result<Self> {
        let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let stream = TcpStream::connect(&host).map_err(|error| {
            let failure = Failure::new(Code::BadParameter, format!("could not connect to {host}: {error}"));
            failure.hint("--to needs the address of a running `kassa run`, such as http://127.0.0.1:8080")
        })?;
        stream.set_nodelay(true)?;
        Ok(Self { host, stream: BufReader::new(stream) })
    }

    /// The status and body of the answer.
    pub fn send(&mut self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
        // By lines: a body of few records, of which some are broken, does not tell by itself that it is NDJSON.
        let (host, length) = (&self.host, body.len());
        let fields = format!("Host: {host}\r\nContent-Type: application/x-ndjson\r\nContent-Length: {length}");
        let head = format!("{method} {path} HTTP/1.1\r\n{fields}\r\n\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).with_context(|| format!("not HTTP: {line:?}"))?;
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        Ok((status, answer))
    }

    /// Posts records, and waits while the collector's log is full.
    pub fn post(&mut self, stream: &str, body: &[u8]) -> anyhow::Result<()> {
        loop {
            let (status, answer) = self.send("POST", &format!("/v1/{stream}"), body)?;
            match status {
                202 => return Ok(()),
                429 => thread::sleep(Duration::from_millis(200)),
                _ => {
                    let words = String::from_utf8_lossy(&answer);
                    let failure = Failure::new(Code::BadParameter, format!("the collector answered {status}: {words}"));
                    return Err(failure.hint("it must have the default streams of the nine contracts").into());
                }
            }
        }
    }
}

/// Sends the shop's next records, in the order of each stream.
pub fn to_collector(shop: &mut Shop, url: &str, records: u64, pace: &mut Pace) -> anyhow::Result<()> {
    let mut client = Client::connect(url)?;
    let mut bodies: [Vec<u8>; Contract::ALL.len()] = Default::default();
    let mut record = Vec::new();
    for _ in 0..records {
        record.clear();
        let emitted = shop.next(&mut record);
        let body = &mut bodies[emitted.contract as usize];
        body.extend_from_slice(&record);
        body.push(b'\n');
        let wait = pace.next();
        if body.len() >= BODY || wait.is_some() {
            // Reference data first, so that few members begin as placeholders.
            flush(&mut client, &mut bodies)?;
        }
        wait.into_iter().for_each(thread::sleep);
    }
    flush(&mut client, &mut bodies)
}

fn flush(client: &mut Client, bodies: &mut [Vec<u8>]) -> anyhow::Result<()> {
    let mut order = Contract::ALL;
    order.sort_by_key(|contract| !contract.is_reference());
    for contract in order {
        let body = &mut bodies[contract as usize];
        if !body.is_empty() {
            client.post(stream_of(contract), body)?;
            body.clear();
        }
    }
    Ok(())
}
