//! An HTTP proxy that injects a fault into the n-th matching request and counts it.
//!
//! ```text
//!  client ──request──► rules: method, part of the path, from the n-th, how many times
//!                        ├─ none fires ──► server ──► the unchanged answer
//!                        ├─ Answer       ──► a status and an S3 error code; the server does not get the request
//!                        ├─ DropRequest  ──► the connection is cut; the server does not get the request
//!                        ├─ DropReply    ──► the server carries out the request; the connection is cut
//!                        └─ Truncate     ──► the answer's head, and only the first bytes of its body
//! ```

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::schedule::Schedule;

/// The action instead of forwarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Answers with this status and an S3 error with this code.
    Answer(u16, &'static str),
    DropRequest,
    DropReply,
    /// The body ends after this many bytes, although its head promises more.
    Truncate(usize),
}

/// When a fault is due, and how often it has fired.
#[derive(Debug)]
pub struct Rule {
    method: &'static str,
    part: String,
    schedule: Schedule,
    fault: Fault,
}

impl Rule {
    /// How often it has fired. A test whose fault never fired proves nothing.
    pub fn fired(&self) -> u64 {
        self.schedule.fired()
    }

    fn is_due(&self, head: &Head) -> bool {
        head.method == self.method && head.target.contains(&self.part) && self.schedule.is_due()
    }
}

/// A running proxy. It stops accepting connections when dropped.
#[derive(Debug)]
pub struct HttpFaults {
    address: SocketAddr,
    rules: Arc<Mutex<Vec<Arc<Rule>>>>,
    stopped: Arc<AtomicBool>,
}

impl HttpFaults {
    /// Starts in front of a server.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let (rules, stopped): (Arc<Mutex<Vec<Arc<Rule>>>>, _) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let proxy = Self { address: listener.local_addr()?, rules: Arc::clone(&rules), stopped: Arc::clone(&stopped) };
        thread::Builder::new().name("http faults".to_owned()).spawn(move || {
            for client in listener.incoming().map_while(Result::ok).take_while(|_| !stopped.load(Ordering::SeqCst)) {
                let rules = Arc::clone(&rules);
                // A broken connection is an expected outcome here.
                thread::spawn(move || serve(client, server, &rules).unwrap_or_default());
            }
        })?;
        Ok(proxy)
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a fault for requests of a method whose path and query contain `part`: from the `nth`
    /// (from 1), `times` times.
    pub fn on(&self, method: &'static str, part: &str, (nth, times): (u64, u64), fault: Fault) -> Arc<Rule> {
        let rule = Arc::new(Rule { method, part: part.to_owned(), schedule: Schedule::new(nth, times), fault });
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&rule));
        rule
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Drop for HttpFaults {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // The listener only notices the stop with the next connection.
        TcpStream::connect(self.address).map(|_| ()).unwrap_or_default();
    }
}

/// The head of a request or an answer.
#[derive(Debug, Default)]
pub(crate) struct Head {
    /// The original bytes.
    bytes: Vec<u8>,
    method: String,
    target: String,
    length: Option<usize>,
    is_chunked: bool,
    is_bodiless: bool,
}

impl Head {
    /// The value of a header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes);
        let mut headers = text.lines().filter_map(|line| line.split_once(':'));
        headers.find_map(|(key, value)| (key.to_ascii_lowercase() == name).then(|| value.trim().to_owned()))
    }
}

fn serve(client: TcpStream, server: SocketAddr, rules: &Mutex<Vec<Arc<Rule>>>) -> io::Result<()> {
    let upstream = TcpStream::connect(server)?;
    let (mut requests, mut answers) = (BufReader::new(client.try_clone()?), BufReader::new(upstream.try_clone()?));
    let (mut client, mut upstream) = (client, upstream);
    while let Some(request) = head(&mut requests)? {
        let body = body(&mut requests, &request)?;
        let due = rules.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|rule| rule.is_due(&request)).cloned();
        let fault = due.map(|rule| rule.fault);
        match fault {
            Some(Fault::Answer(status, code)) => {
                client.write_all(answer(status, code, request.method == "HEAD").as_bytes())?;
                continue;
            }
            Some(Fault::DropRequest) => return client.shutdown(Shutdown::Both),
            Some(Fault::DropReply | Fault::Truncate(_)) | None => {}
        }
        upstream.write_all(&request.bytes)?;
        upstream.write_all(&body)?;
        let mut response = loop {
            let Some(response) = head(&mut answers)? else { return client.shutdown(Shutdown::Both) };
            // The answer follows `100 Continue`.
            if response.target != "100" {
                break response;
            }
            client.write_all(&response.bytes)?;
        };
        response.is_bodiless |= request.method == "HEAD";
        let given = self::body(&mut answers, &response)?;
        if fault == Some(Fault::DropReply) {
            return client.shutdown(Shutdown::Both);
        }
        client.write_all(&response.bytes)?;
        if let Some(Fault::Truncate(bytes)) = fault {
            client.write_all(&given[..bytes.min(given.len())])?;
            return client.shutdown(Shutdown::Both);
        }
        client.write_all(&given)?;
    }
    Ok(())
}

fn answer(status: u16, code: &str, is_head: bool) -> String {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>a fault for a test</Message></Error>");
    let head = format!(
        "HTTP/1.1 {status} Fault\r\nContent-Type: application/xml\r\nETag: \"fault\"\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    if is_head { head } else { head + &body }
}

/// Reads the next head; `None` at the end of the connection.
pub(crate) fn head(from: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut head = Head::default();
    loop {
        let start = head.bytes.len();
        if from.read_until(b'\n', &mut head.bytes)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&head.bytes[start..]).trim_end().to_owned();
        if start == 0 {
            // `PUT /bucket/key HTTP/1.1` or `HTTP/1.1 204 No Content`
            let mut words = line.split(' ').map(str::to_owned);
            (head.method, head.target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            head.is_bodiless = head.method.starts_with("HTTP/") && ["100", "204", "304"].contains(&head.target.as_str());
        } else if line.is_empty() {
            return Ok(Some(head));
        } else if let Some((name, value)) = line.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => head.length = value.trim().parse().ok(),
                "transfer-encoding" => head.is_chunked = value.contains("chunked"),
                _ => {}
            }
        }
    }
}

/// Reads the body that belongs to a head, unchanged.
pub(crate) fn body(from: &mut impl BufRead, head: &Head) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if head.is_bodiless {
        return Ok(body);
    }
    if !head.is_chunked {
        body.resize(head.length.unwrap_or(0), 0);
        from.read_exact(&mut body)?;
        return Ok(body);
    }
    loop {
        let start = body.len();
        from.read_until(b'\n', &mut body)?;
        let size = String::from_utf8_lossy(&body[start..]);
        let size = usize::from_str_radix(size.trim().split(';').next().unwrap_or_default(), 16).map_err(io::Error::other)?;
        let begun = body.len();
        body.resize(begun + size + 2, 0);
        from.read_exact(&mut body[begun..])?;
        if size == 0 {
            return Ok(body);
        }
    }
}

#[cfg(test)]
mod tests;
