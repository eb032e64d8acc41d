use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use kassa_kafka::registry::{Auth, FolderSnapshots, RegistryClient, RegistryError, RegistryOptions, Schemas};
use kassa_model::Secret;
use kassa_stack::proxy::{HttpFault, HttpProxy};
use kassa_stack::{Certificates, Registry};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::unique;

fn registry() -> MutexGuard<'static, Registry> {
    static REGISTRY: OnceLock<Mutex<Registry>> = OnceLock::new();
    REGISTRY.get_or_init(|| Mutex::new(Registry::start().unwrap())).lock().unwrap_or_else(PoisonError::into_inner)
}

fn client(url: impl Into<String>) -> RegistryClient {
    let mut options = RegistryOptions::new(url);
    (options.timeout, options.pause) = (Duration::from_secs(3), Duration::from_millis(10));
    RegistryClient::new(options).unwrap()
}

const MONEY: &str = r#"{"type":"record","name":"Money","namespace":"shop","fields":[{"name":"units","type":"long"}]}"#;
const LINE: &str = r#"{"type":"record","name":"Line","namespace":"shop","fields":[{"name":"price","type":"shop.Money"}]}"#;
const ORDER: &str = r#"{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"line","type":"shop.Line"},{"name":"total","type":"shop.Money"}]}"#;

#[test]
fn schemas_include_their_references_and_outlive_the_registry() {
    let mut registry = registry();
    let client = client(registry.url());
    let (money, line, order) = (unique("money"), unique("line"), unique("order with / in it"));
    let first = client.register(&money, "AVRO", MONEY, &[]).unwrap();
    assert_eq!(client.register(&money, "AVRO", MONEY, &[]).unwrap(), first, "the same schema has the same id");
    client.register(&line, "AVRO", LINE, &[("shop.Money", &money, 1)]).unwrap();
    let id = client.register(&order, "AVRO", ORDER, &[("shop.Line", &line, 1), ("shop.Money", &money, 1)]).unwrap();
    let refused = client.register(&unique("broken"), "AVRO", "{", &[]).unwrap_err();
    assert!(matches!(refused, RegistryError::Refused { .. }), "{refused:?}");

    let folder = tempfile::tempdir().unwrap();
    let snapshots = || Some(Box::new(FolderSnapshots::new(folder.path().join("schemas"))) as _);
    let schemas = Schemas::new(Some(client), snapshots());
    let schema = schemas.schema(id).unwrap().unwrap();
    assert_eq!((schema.id, &*schema.kind, schema.text.contains("Order")), (id, "AVRO", true));
    let names = schema.references.iter().map(|referred| (&*referred.name, referred.text.contains("units"))).collect::<Vec<_>>();
    assert_eq!(names, [("shop.Money", true), ("shop.Line", false)], "each after its own references");
    assert_eq!(schemas.schema(4_000_000).unwrap(), None);

    registry.kill();
    assert_eq!(schemas.schema(id).unwrap().unwrap(), schema, "a cached schema needs no registry");
    let alone = Schemas::new(None, snapshots());
    assert_eq!(alone.schema(id).unwrap().unwrap(), schema, "nor does a snapshot");
    assert_eq!(alone.schema(first).unwrap(), None);
    let down = Schemas::new(Some(self::client(registry.url())), snapshots());
    assert_eq!(down.schema(id).unwrap().unwrap(), schema);
    assert!(down.schema(first).unwrap_err().is_transient(), "an unreachable registry does not make an id unknown");
    registry.restart().unwrap();
    assert!(down.schema(first).unwrap().is_some());
}

#[test]
fn each_failure_of_a_registry_has_its_own_error() {
    let (url, target) = {
        let registry = registry();
        (registry.url(), registry.address().parse::<SocketAddr>().unwrap())
    };
    let id = client(url).register(&unique("faults"), "AVRO", MONEY, &[]).unwrap();
    let proxy = HttpProxy::to(target).unwrap();
    let client = client(format!("http://{}/apis/ccompat/v7/", proxy.address()));
    assert!(client.schema(id).unwrap().is_some());

    for (fault, transient) in [
        (HttpFault::Refused, true),
        (HttpFault::status(503, "busy"), true),
        (HttpFault::status(429, "slower"), true),
        (HttpFault::Slow(Duration::from_secs(5)), true),
        (HttpFault::Truncated(10), true),
        (HttpFault::status(404, "<html>no such page</html>"), false),
        (HttpFault::status(200, "<html>a login page</html>"), false),
        (HttpFault::status(401, "who are you"), false),
        (HttpFault::redirect("http://127.0.0.1:1/elsewhere"), false),
    ] {
        let (before, always) = (proxy.fired(), fault.clone());
        proxy.set_rule(move |_| Some(always.clone()));
        let error = client.schema(id).unwrap_err();
        assert_eq!(error.is_transient(), transient, "{fault:?}: {error:?}");
        assert_eq!(proxy.fired() - before, if transient { 3 } else { 1 }, "{fault:?} is tried three times if it is temporary");
        if let HttpFault::Status { code: 302, .. } = fault {
            assert!(matches!(&error, RegistryError::Redirected { to, .. } if to.contains("elsewhere")), "{error:?}");
        }
    }
    proxy.set_rule(|_| Some(HttpFault::status(404, r#"{"error_code":40403,"message":"Schema not found"}"#)));
    assert_eq!(client.schema(id).unwrap(), None);
    let mut left = 2;
    proxy.set_rule(move |_| {
        left -= 1;
        (left >= 0).then(|| HttpFault::status(500, "for a moment"))
    });
    assert!(client.schema(id).unwrap().is_some(), "temporary failures are retried");
}

#[test]
fn an_unknown_id_is_requested_once() {
    let target = registry().address().parse::<SocketAddr>().unwrap();
    let proxy = HttpProxy::to(target).unwrap();
    let schemas = Schemas::new(Some(client(format!("http://{}/apis/ccompat/v7", proxy.address()))), None);
    let started = Instant::now();
    for _ in 0..1_000 {
        assert_eq!(schemas.schema(3_999_999).unwrap(), None);
    }
    assert!(proxy.requests() == 1 || started.elapsed() > Duration::from_secs(30), "{}", proxy.requests());
}

#[test]
fn credentials_are_sent_and_never_printed() {
    let target = registry().address().parse::<SocketAddr>().unwrap();
    let proxy = HttpProxy::to(target).unwrap();
    let basic = Auth::Basic { user: "shop".into(), password: Secret::new("env:PASSWORD", "hunter2") };
    for (auth, wanted) in
        [(basic, "Basic c2hvcDpodW50ZXIy"), (Auth::Bearer(Secret::new("env:PASSWORD", "hunter2")), "Bearer hunter2")]
    {
        proxy.set_rule(move |request| (request.header("authorization") != Some(wanted)).then(|| HttpFault::status(401, "no")));
        let mut options = RegistryOptions::new(format!("http://{}/apis/ccompat/v7", proxy.address()));
        let refused = RegistryClient::new(options.clone()).unwrap().schema(1).unwrap_err();
        assert!(matches!(refused, RegistryError::Credentials { .. }), "{refused:?}");
        options.auth = auth;
        let client = RegistryClient::new(options).unwrap();
        client.schema(3_999_998).unwrap();
        assert!(!format!("{client:?}").contains("hunter2") && !format!("{client:?}").contains("c2hvc"));
    }
    let error = RegistryClient::new(RegistryOptions::new("https://shop:hunter2@registry")).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

/// A TLS server that answers every request with the same schema.
fn tls_registry(certificate: &str, key: &str) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for tcp in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, tcp.unwrap());
            if stream.read(&mut [0; 4096]).is_ok() {
                let body = r#"{"schema":"\"string\""}"#;
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).ok();
            }
        }
    });
    address
}

#[test]
fn a_registry_over_tls_is_trusted_by_its_authority_and_name() {
    let certificates = Certificates::generate().unwrap();
    let right = tls_registry(&certificates.server, &certificates.server_key).port();
    let nameless = tls_registry(&certificates.client, &certificates.client_key).port();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &certificates.ca).unwrap();
    let schema = |host: &str, port: u16, ca: Option<&std::path::Path>| {
        let mut options = RegistryOptions::new(format!("https://{host}:{port}"));
        options.ca = ca.map(Into::into);
        RegistryClient::new(options).unwrap().schema(1)
    };
    assert_eq!(schema("localhost", right, Some(&ca)).unwrap().unwrap().text, "\"string\"");
    assert_eq!(schema("127.0.0.1", right, Some(&ca)).unwrap().unwrap().kind, "AVRO");
    for (port, ca) in [(right, None), (nameless, Some(ca.as_path()))] {
        let error = schema("localhost", port, ca).unwrap_err();
        assert!(matches!(&error, RegistryError::NotARegistry { why, .. } if why.text().contains("certificate")), "{error:?}");
    }
    let missing = RegistryOptions { ca: Some("no-such.pem".into()), ..RegistryOptions::new("https://localhost") };
    assert!(matches!(RegistryClient::new(missing), Err(RegistryError::Invalid { .. })));
}
