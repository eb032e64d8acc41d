//! Connections, encrypted as the target says.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use postgres::config::{Config, SslMode};
use postgres::{Client, NoTls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::WarehouseError;
use crate::url::{Target, Tls, Trust};

/// A dead peer is noticed within a minute: after ten seconds of silence, three probes at intervals
/// of five seconds; unacknowledged data fails after thirty seconds.
const SILENCE: Duration = Duration::from_secs(10);
const ASK_EVERY: Duration = Duration::from_secs(5);
const ASK_TIMES: u32 = 3;
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Connects and sets up the session as all of kassa's work needs it.
pub fn connect(target: &Target) -> Result<Client, WarehouseError> {
    let mut config = Config::new();
    config
        .host(&target.host)
        .port(target.port)
        .user(&target.user)
        .dbname(&target.database)
        .application_name("kassa")
        .connect_timeout(target.connect_timeout)
        .keepalives_idle(SILENCE)
        .keepalives_interval(ASK_EVERY)
        .keepalives_retries(ASK_TIMES)
        .tcp_user_timeout(UNACKNOWLEDGED);
    if let Some(password) = &target.password {
        config.password(password.expose());
    }
    let connected = match &target.tls {
        Tls::Off => config.ssl_mode(SslMode::Disable).connect(NoTls),
        Tls::Verified(trust) => config.ssl_mode(SslMode::Require).connect(MakeRustlsConnect::new(tls(trust)?)),
    };
    let mut client = connected.map_err(|error| WarehouseError::from(error).at(&target.place()))?;
    let milliseconds = target.statement_timeout.as_millis();
    client.batch_execute(&format!(
        "SET statement_timeout = {milliseconds}; SET lock_timeout = {milliseconds}; SET idle_in_transaction_session_timeout = {milliseconds};
         SET client_encoding = 'UTF8'; SET TimeZone = 'UTC'; SET search_path = pg_catalog; SET jit = off"
    ))?;
    Ok(client)
}

fn tls(trust: &Trust) -> Result<ClientConfig, WarehouseError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = match &trust.authority {
        Some(path) => authority(path)?,
        None => system_authorities()?,
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| WarehouseError::Invalid(format!("TLS: {error}")))?
        .with_root_certificates(roots);
    let Some((certificate, key)) = &trust.client else { return Ok(config.with_no_client_auth()) };
    let unreadable = |path: &Path, error: &dyn std::fmt::Display| WarehouseError::Invalid(format!("{}: {error}", path.display()));
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
    config.with_client_auth_cert(certificates(certificate)?, key).map_err(|error| unreadable(certificate, &error))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, WarehouseError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|error| WarehouseError::Invalid(format!("{}: {error}", path.display())))?;
    if read.is_empty() {
        return Err(WarehouseError::Invalid(format!("{} has no certificate in it", path.display())));
    }
    Ok(read)
}

fn authority(path: &Path) -> Result<RootCertStore, WarehouseError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| WarehouseError::Invalid(format!("{}: {error}", path.display())))?;
    }
    Ok(roots)
}

fn system_authorities() -> Result<RootCertStore, WarehouseError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(WarehouseError::Invalid(
            "this machine has no certificate authorities: give the one that signed the server's certificate as `sslrootcert`"
                .to_owned(),
        ));
    }
    Ok(roots)
}
