use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::{HttpFault, HttpProxy, LostReply, TcpProxy};

/// A server that answers each line with "done LINE", and counts the lines.
fn line_server() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, carried_out) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&carried_out);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, counted) = (stream.unwrap(), Arc::clone(&counted));
            thread::spawn(move || {
                let mut writer = stream.try_clone().unwrap();
                for line in BufReader::new(stream).lines() {
                    let Ok(line) = line else { return };
                    counted.fetch_add(1, Ordering::SeqCst);
                    writer.write_all(format!("done {line}\n").as_bytes()).ok();
                }
            });
        }
    });
    (address, carried_out)
}

fn ask(stream: &TcpStream, line: &str) -> Option<String> {
    let mut writer = stream.try_clone().unwrap();
    writer.write_all(format!("{line}\n").as_bytes()).ok()?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).ok().filter(|read| *read > 0)?;
    Some(answer.trim().to_owned())
}

#[test]
fn a_request_with_a_lost_reply_is_carried_out() {
    let (server, carried_out) = line_server();
    let proxy = TcpProxy::to(server).unwrap();
    let client = TcpStream::connect(proxy.address()).unwrap();
    assert_eq!(ask(&client, "COMMIT 0").as_deref(), Some("done COMMIT 0"));
    proxy.lose_reply(
        LostReply::when(|sent| sent.windows(6).any(|bytes| bytes == b"COMMIT")).answered(|reply| reply.ends_with(b"\n")),
    );
    assert_eq!(ask(&client, "INSERT").as_deref(), Some("done INSERT"), "bytes from before the fault do not arm it");
    assert_eq!((ask(&client, "COMMIT 1"), proxy.fired()), (None, 1));
    assert_eq!(carried_out.load(Ordering::SeqCst), 3);
    let again = TcpStream::connect(proxy.address()).unwrap();
    assert_eq!(ask(&again, "COMMIT 1").as_deref(), Some("done COMMIT 1"), "the fault fires once");
    assert_eq!(proxy.fired(), 1);
}

#[test]
fn down_refuses_and_silent_holds_back() {
    let (server, _) = line_server();
    let proxy = TcpProxy::to(server).unwrap();
    let client = TcpStream::connect(proxy.address()).unwrap();
    assert!(ask(&client, "a").is_some());
    proxy.set_down(true);
    assert_eq!(ask(&client, "b"), None);
    assert_eq!(ask(&TcpStream::connect(proxy.address()).unwrap(), "c"), None);
    proxy.set_down(false);
    let client = TcpStream::connect(proxy.address()).unwrap();
    assert!(ask(&client, "d").is_some());
    proxy.set_silent(true);
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(ask(&client, "e")).unwrap());
    assert!(receive.recv_timeout(Duration::from_millis(200)).is_err());
    proxy.set_silent(false);
    assert_eq!(receive.recv_timeout(Duration::from_secs(10)).unwrap().as_deref(), Some("done e"));
}

/// A server that answers each request with its path and body.
fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (head, body) = super::http::read_head(&mut stream).unwrap();
            let request = super::http::parse(&head);
            let body = super::http::read_body(&mut stream, &request, body).unwrap();
            let answer = format!("{} {}", request.path, String::from_utf8_lossy(&body));
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}", answer.len()).unwrap();
        }
    });
    address
}

fn request(proxy: &HttpProxy, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    let length = body.len();
    write!(stream, "PUT {path} HTTP/1.1\r\nHost: shop\r\nContent-Length: {length}\r\nConnection: keep-alive\r\n\r\n{body}")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn each_http_fault_has_its_documented_effect() {
    let proxy = HttpProxy::to(echo_server()).unwrap();
    assert!(request(&proxy, "/a", "body").ends_with("\r\n\r\n/a body"));
    let faults = [
        HttpFault::status(503, "busy"),
        HttpFault::redirect("http://elsewhere/"),
        HttpFault::Refused,
        HttpFault::ReplyLost,
        HttpFault::Truncated(3),
        HttpFault::Slow(Duration::from_millis(50)),
    ];
    let mut left = faults.into_iter();
    proxy.set_rule(move |request| left.next().filter(|_| request.path == "/b" && request.header("host") == Some("shop")));
    assert!(request(&proxy, "/b", "").starts_with("HTTP/1.1 503 "));
    assert!(request(&proxy, "/b", "").contains("\r\nLocation: http://elsewhere/\r\n"));
    assert_eq!(request(&proxy, "/b", ""), "");
    assert_eq!(request(&proxy, "/b", ""), "");
    assert!(request(&proxy, "/b", "body").ends_with("\r\n\r\n/b "));
    let started = Instant::now();
    assert!(request(&proxy, "/b", "body").ends_with("/b body"));
    assert!(started.elapsed() >= Duration::from_millis(50));
    assert_eq!((proxy.fired(), proxy.requests()), (6, 7));
}
