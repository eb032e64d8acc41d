use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::tcp::lock;

/// The maximum length of a request's head.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A request, as passed to a fault's predicate. Header names are unchanged.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
}

/// A fault in the handling of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpFault {
    /// The proxy answers; the server does not get the request. Headers are additional lines,
    /// without their line ends.
    Status { code: u16, headers: Vec<String>, body: String },
    /// The request is forwarded after this delay.
    Slow(Duration),
    /// The connection is closed; the server does not get the request.
    Refused,
    /// The server carries out the request, and the connection is closed before the answer.
    ReplyLost,
    /// The answer ends after this many bytes of its body.
    Truncated(usize),
}

impl HttpFault {
    pub fn status(code: u16, body: impl Into<String>) -> Self {
        Self::Status { code, headers: Vec::new(), body: body.into() }
    }

    pub fn redirect(to: &str) -> Self {
        Self::Status { code: 302, headers: vec![format!("Location: {to}")], body: String::new() }
    }
}

type Rule = Box<dyn FnMut(&HttpRequest) -> Option<HttpFault> + Send>;

struct Shared {
    target: SocketAddr,
    rule: Mutex<Rule>,
    fired: AtomicUsize,
    requests: AtomicUsize,
    stopping: AtomicBool,
}

/// Forwards HTTP/1.1 requests, each over its own connection, unless its rule gives a fault.
pub struct HttpProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl fmt::Debug for HttpProxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HttpProxy").field("address", &self.address).field("target", &self.shared.target).finish()
    }
}

impl HttpProxy {
    pub fn to(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target,
            rule: Mutex::new(Box::new(|_| None)),
            fired: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.stopping.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(client), shared) = (client, Arc::clone(&accepting)) else { continue };
                thread::spawn(move || shared.serve(client).ok());
            }
        });
        Ok(Self { address, shared })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the rule for each request from now on; `None` forwards the request.
    pub fn set_rule(&self, rule: impl FnMut(&HttpRequest) -> Option<HttpFault> + Send + 'static) {
        *lock(&self.shared.rule) = Box::new(rule);
    }

    pub fn clear(&self) {
        self.set_rule(|_| None);
    }

    /// How many requests had a fault.
    pub fn fired(&self) -> usize {
        self.shared.fired.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        TcpStream::connect(self.address).ok();
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let (head, body) = read_head(&mut client)?;
        let request = parse(&head);
        self.requests.fetch_add(1, Ordering::SeqCst);
        let fault = (lock(&self.rule))(&request);
        self.fired.fetch_add(usize::from(fault.is_some()), Ordering::SeqCst);
        let body = read_body(&mut client, &request, body)?;
        match fault {
            Some(HttpFault::Status { code, headers, body }) => {
                let lines = headers.iter().map(|line| format!("{line}\r\n")).collect::<String>();
                let length = body.len();
                write!(client, "HTTP/1.1 {code} Fault\r\n{lines}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")?;
            }
            Some(HttpFault::Refused) => {}
            Some(HttpFault::ReplyLost) => drop(self.ask(&head, &body)?),
            Some(HttpFault::Truncated(bytes)) => {
                let answer = self.ask(&head, &body)?;
                let start = answer.windows(4).position(|end| end == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
                client.write_all(&answer[..answer.len().min(start + bytes)])?;
            }
            Some(HttpFault::Slow(delay)) => {
                thread::sleep(delay);
                client.write_all(&self.ask(&head, &body)?)?;
            }
            None => client.write_all(&self.ask(&head, &body)?)?,
        }
        client.shutdown(Shutdown::Both)
    }

    /// The server's whole answer. The request is forwarded unchanged, except that the connection is
    /// closed afterwards.
    fn ask(&self, head: &str, body: &[u8]) -> io::Result<Vec<u8>> {
        let kept =
            head.split("\r\n").filter(|line| !line.is_empty() && !is_header(line, "connection") && !is_header(line, "expect"));
        let lines = kept.map(|line| format!("{line}\r\n")).collect::<String>();
        let mut server = TcpStream::connect(self.target)?;
        server.write_all(format!("{lines}Connection: close\r\n\r\n").as_bytes())?;
        server.write_all(body)?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        Ok(answer)
    }
}

fn is_header(line: &str, name: &str) -> bool {
    line.split_once(':').is_some_and(|(header, _)| header.eq_ignore_ascii_case(name))
}

/// The head, without its empty line, and the part of the body that was read with it.
pub(super) fn read_head(client: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 8 * 1024];
    loop {
        if let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), body));
        }
        match client.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if bytes.len() > HEAD_BYTES_MAX => return Err(io::ErrorKind::InvalidData.into()),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

pub(super) fn parse(head: &str) -> HttpRequest {
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let (method, path) = (word(), word());
    let headers = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    HttpRequest { method, path, headers: headers.collect() }
}

impl HttpRequest {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The unchanged body, chunked or with a stated length.
pub(super) fn read_body(client: &mut TcpStream, request: &HttpRequest, mut body: Vec<u8>) -> io::Result<Vec<u8>> {
    if request.header("expect").is_some() {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let chunked = request.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    let length = request.header("content-length").and_then(|length| length.parse::<usize>().ok()).unwrap_or(0);
    let mut buffer = [0; 16 * 1024];
    while if chunked { !body.ends_with(b"0\r\n\r\n") } else { body.len() < length } {
        match client.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => body.extend_from_slice(&buffer[..read]),
        }
    }
    Ok(body)
}
