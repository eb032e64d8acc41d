use std::net::SocketAddr;

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
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

/// Serves at most this many connections.
async fn crowd(max: usize) -> (SocketAddr, JoinHandle<io::Result<()>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let big = || async { vec![b'x'; 64 << 20] };
    let router = house().router.route("/big", get(big));
    (address, tokio::spawn(serve(listener, router, max, std::future::pending())))
}

async fn status_of(address: SocketAddr, head: &str) -> String {
    let mut stream = send(address, head).await;
    let text = read_until(&mut stream, "\r\n\r\n").await;
    text.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn idle_connections_take_no_place_from_others() {
    let (address, _served) = crowd(8).await;
    let mut idle = Vec::new();
    for nth in 0..300 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if nth % 2 == 0 {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: local").await.unwrap();
        }
        idle.push(stream);
    }
    for path in ["/livez", "/readyz", "/api/v1/pipeline", "/api/v1/figures/net_sales"] {
        assert_eq!(status_of(address, &format!("GET {path} HTTP/1.1")).await, "HTTP/1.1 200 OK", "{path}");
    }
    let mut ended = 0;
    for mut stream in idle {
        let mut rest = [0; 1];
        ended += usize::from(timeout(Duration::from_millis(1), stream.read(&mut rest)).await.is_ok());
    }
    assert!(ended >= 290, "{ended} of 300 have ended");
}

#[tokio::test]
async fn health_is_answered_when_every_connection_is_busy() {
    let (address, _served) = crowd(4).await;
    let mut viewers = Vec::new();
    for _ in 0..4 {
        let mut viewer = send(address, "GET /api/v1/live HTTP/1.1").await;
        assert!(read_until(&mut viewer, "\r\n\r\n").await.starts_with("HTTP/1.1 200 OK"));
        viewers.push(viewer);
    }
    let mut silent = Vec::new();
    for _ in 0..3 * RESERVED {
        silent.push(TcpStream::connect(address).await.unwrap());
        for path in ["/livez", "/readyz"] {
            assert_eq!(status_of(address, &format!("GET {path} HTTP/1.1")).await, "HTTP/1.1 200 OK", "{path}");
        }
    }
    let mut other = send(address, "GET /api/v1/pipeline HTTP/1.1").await;
    let refused = read_until(&mut other, "}}").await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("K019") && refused.contains("retry-after: 1"), "{refused}");
    viewers.pop();
    while status_of(address, "GET /api/v1/pipeline HTTP/1.1").await != "HTTP/1.1 200 OK" {}
}

#[tokio::test(start_paused = true)]
async fn clients_that_do_not_read_lose_their_connection() {
    let (address, _served) = crowd(8).await;
    let mut stream = send(address, "GET /big HTTP/1.1").await;
    tokio::time::sleep(2 * crate::pace::WINDOW).await;
    let mut read = Vec::new();
    stream.read_to_end(&mut read).await.ok();
    assert!((1..64 << 20).contains(&read.len()), "{} bytes", read.len());
}

#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_ends_its_connection() {
    let (address, _served) = crowd(8).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut seconds = 0;
    let written = "GET /livez HTTP/1.1\r\nX: ".bytes().chain(std::iter::repeat(b'x'));
    for byte in written {
        let mut answer = [0; 1];
        let ended =
            stream.write_all(&[byte]).await.is_err() || timeout(Duration::from_secs(1), stream.read(&mut answer)).await.is_ok();
        if ended {
            break;
        }
        seconds += 1;
    }
    assert!((9..15).contains(&seconds), "{seconds} s");
}
