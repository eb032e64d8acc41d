use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::testing::house;

/// A server on its own port, the sender that stops it, and its result.
fn start() -> (SocketAddr, oneshot::Sender<()>, JoinHandle<io::Result<()>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let Ok(server) = Arc::try_unwrap({
        let house = house();
        drop(house.router);
        house.server
    }) else {
        panic!("the server is shared");
    };
    let shutdown = async {
        stopped.await.ok();
    };
    (address, stop, tokio::spawn(crate::serve(listener, server.app, shutdown)))
}

async fn send(address: SocketAddr, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{head}\r\nHost: {address}\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).await.unwrap();
        assert_ne!(count, 0, "the connection ended after {text}");
        text += std::str::from_utf8(&piece[..count]).unwrap();
    }
    text
}

#[tokio::test]
async fn shutdown_ends_streams_and_idle_connections() {
    let (address, stop, served) = start();
    let mut idle = send(address, "GET /livez HTTP/1.1").await;
    assert!(read_until(&mut idle, "alive\n").await.starts_with("HTTP/1.1 200 OK\r\n"));
    let mut viewer = send(address, "GET /api/v1/live HTTP/1.1").await;
    read_until(&mut viewer, "event: live\n").await;
    stop.send(()).unwrap();
    served.await.unwrap().unwrap();
    for mut stream in [idle, viewer] {
        let mut rest = Vec::new();
        timeout(GRACE, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    }
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_sender_of_a_far_too_large_body_reads_the_refusal() {
    const PIECE: usize = 1 << 20;
    const PIECES: usize = 64;
    let (address, _stop, _served) = start();
    for length in [format!("Content-Length: {}", PIECE * PIECES), "Transfer-Encoding: chunked".to_owned()] {
        let mut stream = send(address, &format!("POST /v1/orders HTTP/1.1\r\n{length}")).await;
        let piece = vec![b'x'; PIECE];
        for _ in 0..PIECES {
            if length.starts_with('T') {
                stream.write_all(format!("{PIECE:x}\r\n").as_bytes()).await.unwrap();
                stream.write_all(&piece).await.unwrap();
                stream.write_all(b"\r\n").await.unwrap();
            } else {
                stream.write_all(&piece).await.unwrap();
            }
        }
        if length.starts_with('T') {
            stream.write_all(b"0\r\n\r\n").await.unwrap();
        }
        let reply = read_until(&mut stream, "}}").await;
        assert!(reply.starts_with("HTTP/1.1 413 "), "{reply}");
        assert!(reply.contains("K013"), "{reply}");
    }
}
