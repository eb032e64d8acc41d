use std::sync::atomic::AtomicU64;

use super::*;

/// A server that answers every request with its number, 1, 2, …, as a text of ten characters.
fn counting() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let count = Arc::clone(&count);
            thread::spawn(move || {
                let (mut requests, mut client) = (BufReader::new(client.try_clone().unwrap()), client);
                while let Ok(Some(request)) = head(&mut requests) {
                    body(&mut requests, &request).unwrap();
                    let nth = count.fetch_add(1, Ordering::SeqCst) + 1;
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{nth:>10}");
                    client.write_all(answer.as_bytes()).unwrap_or_default();
                }
            });
        }
    });
    address
}

/// The body of an answer, or the error.
fn put(proxy: &HttpFaults) -> Result<String, String> {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut response = agent.put(format!("{}/bucket/log/1.json", proxy.endpoint())).send("a body").map_err(|e| e.to_string())?;
    let body = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
    Ok(format!("{} {}", response.status().as_u16(), body.trim()))
}

#[test]
fn each_fault_fires_only_on_its_requests_and_is_counted() {
    let proxy = HttpFaults::start(counting()).unwrap();
    let elsewhere = proxy.on("PUT", "other", (1, 9), Fault::DropReply);
    let reads = proxy.on("GET", "log", (1, 9), Fault::DropReply);
    let busy = proxy.on("PUT", "log/1.json", (2, 2), Fault::Answer(503, "SlowDown"));
    assert_eq!(put(&proxy).unwrap(), "200 1");
    for _ in 0..2 {
        let told = put(&proxy).unwrap();
        assert!(told.starts_with("503") && told.contains("<Code>SlowDown</Code>"), "{told}");
    }
    assert_eq!(put(&proxy).unwrap(), "200 2", "the server got a request that the proxy answered");
    assert_eq!((busy.fired(), elsewhere.fired(), reads.fired()), (2, 0, 0));
}

#[test]
fn a_request_with_a_dropped_reply_is_carried_out_and_a_dropped_request_is_not() {
    let proxy = HttpFaults::start(counting()).unwrap();
    let rule = proxy.on("PUT", "log", (1, 1), Fault::DropReply);
    assert!(put(&proxy).is_err());
    assert_eq!((put(&proxy).unwrap().as_str(), rule.fired()), ("200 2", 1));
    proxy.clear();
    let rule = proxy.on("PUT", "log", (1, 1), Fault::DropRequest);
    assert!(put(&proxy).is_err());
    assert_eq!((put(&proxy).unwrap().as_str(), rule.fired()), ("200 3", 1));
}

#[test]
fn a_truncated_body_is_shorter_than_it_says() {
    let proxy = HttpFaults::start(counting()).unwrap();
    let rule = proxy.on("PUT", "log", (1, 1), Fault::Truncate(4));
    assert!(put(&proxy).is_err());
    assert_eq!(rule.fired(), 1);
}
