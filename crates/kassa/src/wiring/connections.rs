//! The settings of connections.

use std::path::Path;
use std::time::Duration;

use kassa_kafka::{Connection, Mechanism, Sasl, Security, Tls};
use kassa_lake::{S3Keys, S3Options};

/// How long a bucket's server may be unreachable before the sinks get an error.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn bucket(s3: &kassa_config::S3, data_dir: &Path) -> S3Options {
    let keys = s3.keys.clone().map(|keys| S3Keys {
        access_key_id: keys.access_key_id,
        secret_access_key: keys.secret_access_key,
        session_token: keys.session_token,
    });
    S3Options {
        bucket: s3.bucket.clone(),
        prefix: s3.prefix.clone(),
        endpoint: s3.endpoint.clone(),
        region: s3.region.clone(),
        path_style: s3.path_style,
        keys,
        scratch: data_dir.join("tmp"),
        patience: PATIENCE,
    }
}

/// The connection settings for all Kafka clients.
pub fn kafka(kafka: &kassa_config::Kafka) -> Connection {
    let tls = kafka.tls.clone().map(|tls| {
        let (certificate, key) = tls.client.unzip();
        Tls { ca: tls.ca, certificate, key }
    });
    let sasl = kafka.sasl.as_ref().map(|sasl| Sasl {
        mechanism: Mechanism::ALL.into_iter().find(|known| known.name() == sasl.mechanism).unwrap_or(Mechanism::ScramSha512),
        user: sasl.user.clone(),
        password: sasl.password.clone(),
    });
    let security = match (sasl, tls) {
        (None, None) => Security::Plaintext,
        (None, Some(tls)) => Security::Tls(tls),
        (Some(sasl), None) => Security::SaslPlaintext(sasl),
        (Some(sasl), Some(tls)) => Security::SaslTls(sasl, tls),
    };
    let secrets = kafka.secret_properties.iter().map(|(name, secret)| (name.clone(), secret.expose().to_owned()));
    let properties = kafka.properties.iter().cloned().chain(secrets).collect();
    Connection { brokers: kafka.brokers.clone(), security, properties }
}
