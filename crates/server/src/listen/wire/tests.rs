use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, sleep};

use super::*;
use crate::listen::places::Places;
use crate::pace::{WINDOW, WINDOW_BYTES};

/// The server's end of a connection whose system buffer has this many bytes, and the client's.
fn wire(buffer: usize) -> (Wire<DuplexStream>, DuplexStream) {
    let (server, client) = duplex(buffer);
    (Wire::new(server, Arc::clone(&Places::new(1).admit().link)), client)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_dropped_after_a_window() {
    let (mut wire, _client) = wire(1024);
    let before = Instant::now();
    let failed = wire.write_all(&[0; 4096]).await.unwrap_err();
    assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
    assert!((WINDOW..WINDOW + Duration::from_secs(1)).contains(&before.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_too_slowly_is_dropped() {
    let (mut wire, mut client) = wire(1024);
    let reading = tokio::spawn(async move {
        let mut piece = [0; 100];
        while client.read(&mut piece).await.is_ok_and(|bytes| bytes > 0) {
            sleep(Duration::from_millis(100)).await;
        }
    });
    assert_eq!(wire.write_all(&vec![0; 1 << 20]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    drop(wire);
    reading.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_steadily_gets_everything() {
    let (mut wire, mut client) = wire(WINDOW_BYTES / 4);
    let reading = tokio::spawn(async move {
        let (mut all, mut piece) = (0, vec![0; WINDOW_BYTES / 4]);
        loop {
            match client.read(&mut piece).await.unwrap() {
                0 => return all,
                bytes => all += bytes,
            }
            sleep(WINDOW / 5).await;
        }
    });
    let before = Instant::now();
    wire.write_all(&vec![0; 10 * WINDOW_BYTES]).await.unwrap();
    assert!(before.elapsed() > 5 * WINDOW);
    drop(wire);
    assert_eq!(reading.await.unwrap(), 10 * WINDOW_BYTES);
}
