//! The connection to a Kafka cluster and its credentials.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use kassa_model::Secret;
use kassa_model::secret::without_secrets;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::KafkaError;

/// PEM files. Without `ca`, the system's authorities are trusted. With `certificate` and `key`, the
/// client authenticates itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    pub ca: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

impl Mechanism {
    pub const ALL: [Mechanism; 3] = [Mechanism::Plain, Mechanism::ScramSha256, Mechanism::ScramSha512];

    pub fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sasl {
    pub mechanism: Mechanism,
    pub user: String,
    pub password: Secret,
}

/// The protection of connections. There is no fallback from one to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Security {
    #[default]
    Plaintext,
    Tls(Tls),
    SaslPlaintext(Sasl),
    SaslTls(Sasl, Tls),
}

impl Security {
    fn protocol(&self) -> &'static str {
        match self {
            Security::Plaintext => "plaintext",
            Security::Tls(_) => "ssl",
            Security::SaslPlaintext(_) => "sasl_plaintext",
            Security::SaslTls(..) => "sasl_ssl",
        }
    }

    fn tls(&self) -> Option<&Tls> {
        match self {
            Security::Tls(tls) | Security::SaslTls(_, tls) => Some(tls),
            Security::Plaintext | Security::SaslPlaintext(_) => None,
        }
    }

    fn sasl(&self) -> Option<&Sasl> {
        match self {
            Security::SaslPlaintext(sasl) | Security::SaslTls(sasl, _) => Some(sasl),
            Security::Plaintext | Security::Tls(_) => None,
        }
    }
}

/// A cluster's settings, for every client.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Connection {
    /// `host:port`, separated by commas.
    pub brokers: String,
    pub security: Security,
    /// More properties of librdkafka, with the names in its CONFIGURATION.md. Properties that kassa
    /// sets itself are refused.
    pub properties: BTreeMap<String, String>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.properties.keys().collect::<Vec<_>>();
        let mut debug = formatter.debug_struct("Connection");
        debug.field("brokers", &self.brokers).field("security", &self.security).field("properties", &names).finish()
    }
}

/// How kassa's clients name themselves, so that others in the group are told apart.
pub(crate) const CLIENT_ID: &str = "kassa";

/// Properties that kassa's guarantees depend on, and properties with their own configuration keys.
const OURS: &[&str] = &[
    "acks",
    "allow.auto.create.topics",
    "auto.offset.reset",
    "bootstrap.servers",
    "debug",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "enable.ssl.certificate.verification",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "isolation.level",
    "log.queue",
    "log_level",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "metadata.broker.list",
    "partition.assignment.strategy",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queued.max.messages.kbytes",
    "request.required.acks",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "statistics.interval.ms",
    "transactional.id",
];

impl Connection {
    /// From `kafka://host:9092,host2:9092`; 9092 is the default port.
    pub fn from_url(url: &str) -> Result<Self, KafkaError> {
        let invalid = |why: &str| KafkaError::Invalid { what: format!("the URL {}", without_secrets(url)), why: why.into() };
        let hosts = url.strip_prefix("kafka://").ok_or_else(|| invalid("it does not begin with kafka://"))?.trim_end_matches('/');
        if hosts.contains('@') {
            return Err(KafkaError::Invalid {
                what: "the URL of Kafka".into(),
                why: "it contains a user: user and password have their own keys, so that no URL contains a secret".into(),
            });
        }
        if hosts.contains(['/', '?', '#']) {
            return Err(invalid("it has more than hosts and ports"));
        }
        let brokers = hosts.split(',').map(|host| broker(host).ok_or_else(|| invalid("a host or port in it is malformed")));
        Ok(Self { brokers: brokers.collect::<Result<Vec<_>, _>>()?.join(","), ..Self::default() })
    }

    /// The credentials, in words that may be printed.
    pub(crate) fn identity(&self) -> String {
        match (self.security.sasl(), self.security.tls()) {
            (Some(sasl), _) => format!("User:{} ({})", sasl.user, sasl.mechanism.name()),
            (None, Some(Tls { certificate: Some(certificate), .. })) => format!("the certificate {}", certificate.display()),
            (None, _) => "User:ANONYMOUS".into(),
        }
    }

    /// The listener, in words: brokers and protocol.
    pub(crate) fn at(&self) -> String {
        format!("{} ({})", self.brokers, self.security.protocol())
    }

    pub(crate) fn trusted(&self) -> String {
        let ca = self.security.tls().and_then(|tls| tls.ca.as_ref());
        ca.map_or_else(|| "the system's authorities".into(), |ca| format!("the authority in {}", ca.display()))
    }

    /// The properties that all clients share.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, KafkaError> {
        let mut config = ClientConfig::new();
        for (name, value) in &self.properties {
            if OURS.binary_search_by(|ours| (*ours).cmp(name)).is_ok() {
                let why = "kassa sets this property of librdkafka itself".into();
                return Err(KafkaError::Invalid { what: format!("the property {name}"), why });
            }
            config.set(name, value);
        }
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", CLIENT_ID)
            .set("security.protocol", self.security.protocol());
        // librdkafka reports a topic's id only in debug lines (`client` reads them).
        config.set("debug", "metadata").set_log_level(RDKafkaLogLevel::Debug);
        if let Some(sasl) = self.security.sasl() {
            config.set("sasl.mechanisms", sasl.mechanism.name()).set("sasl.username", &sasl.user);
            config.set("sasl.password", sasl.password.expose());
        }
        if let Some(tls) = self.security.tls() {
            set_tls(&mut config, tls)?;
        }
        Ok(config)
    }
}

fn broker(host: &str) -> Option<String> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() => (name, port.parse::<u16>().ok()?),
        Some(_) => return None,
        None => (host, 9092),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
    (!name.is_empty() && port > 0 && name.bytes().all(plain)).then(|| format!("{name}:{port}"))
}

fn set_tls(config: &mut ClientConfig, tls: &Tls) -> Result<(), KafkaError> {
    let files = [("ssl.ca.location", &tls.ca), ("ssl.certificate.location", &tls.certificate), ("ssl.key.location", &tls.key)];
    for (property, file) in files {
        let Some(file) = file else { continue };
        if !file.is_file() {
            return Err(KafkaError::Invalid {
                what: format!("{property} = {}", file.display()),
                why: "the file does not exist".into(),
            });
        }
        config.set(property, file.to_string_lossy());
    }
    if tls.certificate.is_some() != tls.key.is_some() {
        let why = "give a client certificate and its key together or not at all".into();
        return Err(KafkaError::Invalid { what: "the client certificate".into(), why });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
