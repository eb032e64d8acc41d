//! The warehouse's address: `postgres://user@host:5432/database?sslrootcert=/etc/ca.pem`.

use std::path::PathBuf;
use std::time::Duration;

use kassa_model::Secret;
use url::Url;

use crate::WarehouseError;

/// Whether the connection is encrypted. There is no fallback: the connection is as requested, or it
/// fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Not encrypted: on loopback, or because of `sslmode=disable`.
    Off,
    Verified(Trust),
}

/// The trusted authority and the client's own identity. The host name is always checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    /// PEM; without it, the system's authorities.
    pub authority: Option<PathBuf>,
    /// PEM: certificate and key of this client.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// How to reach the warehouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub database: String,
    pub password: Option<Secret>,
    pub tls: Tls,
    pub connect_timeout: Duration,
    /// The server's time limit of one statement.
    pub statement_timeout: Duration,
    /// Whether this program rebuilds the warehouse: others are refused until the rebuild has ended.
    pub is_rebuilding: bool,
}

const PARAMETERS: &str = "sslmode, sslrootcert, sslcert, sslkey, connect_timeout, statement_timeout";

impl Target {
    /// The password is separate, because a password in the URL would appear in configuration files
    /// and logs.
    pub fn parse(text: &str, password: Option<Secret>) -> Result<Self, WarehouseError> {
        let url = Url::parse(text).map_err(|error| invalid(format!("the warehouse's URL: {error}")))?;
        if !["postgres", "postgresql"].contains(&url.scheme()) {
            return Err(invalid(format!("the warehouse's URL begins with `{}:`; it must begin with `postgres:`", url.scheme())));
        }
        if url.password().is_some() {
            return Err(invalid(
                "the warehouse's URL has a password in it: set it separately as `warehouse.password = \"env:NAME\"`",
            ));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| invalid("the warehouse's URL names no host"))?;
        let database = decoded(url.path().trim_start_matches('/'))?;
        let user = decoded(url.username())?;
        if user.is_empty() || database.is_empty() {
            return Err(invalid("the warehouse's URL must contain a user and a database: postgres://user@host/database"));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let given = Parameters::of(&url)?;
        let tls = given.tls(&host)?;
        Ok(Self {
            port: url.port().unwrap_or(5432),
            user,
            database,
            password,
            tls,
            connect_timeout: Duration::from_secs(given.connect_timeout),
            statement_timeout: Duration::from_secs(given.statement_timeout),
            is_rebuilding: false,
            host,
        })
    }

    /// For messages: without the password.
    pub fn place(&self) -> String {
        format!("{}:{}/{}", self.host, self.port, self.database)
    }
}

fn decoded(text: &str) -> Result<String, WarehouseError> {
    let bytes: Vec<u8> = url::form_urlencoded::parse(format!("v={}", text.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned().into_bytes())
        .unwrap_or_default();
    String::from_utf8(bytes).map_err(|_| invalid("the warehouse's URL is not UTF-8"))
}

fn invalid(what: impl Into<String>) -> WarehouseError {
    WarehouseError::Invalid(what.into())
}

struct Parameters {
    sslmode: Option<String>,
    trust: Trust,
    connect_timeout: u64,
    statement_timeout: u64,
}

impl Parameters {
    fn of(url: &Url) -> Result<Self, WarehouseError> {
        let mut given = Self { sslmode: None, trust: Trust::default(), connect_timeout: 10, statement_timeout: 60 };
        let (mut certificate, mut key) = (None, None);
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "sslmode" => given.sslmode = Some(value.into_owned()),
                "sslrootcert" => given.trust.authority = Some(PathBuf::from(value.as_ref())),
                "sslcert" => certificate = Some(PathBuf::from(value.as_ref())),
                "sslkey" => key = Some(PathBuf::from(value.as_ref())),
                "connect_timeout" => given.connect_timeout = seconds(&name, &value)?,
                "statement_timeout" => given.statement_timeout = seconds(&name, &value)?,
                other => return Err(invalid(format!("the warehouse's URL has the parameter `{other}`; there are {PARAMETERS}"))),
            }
        }
        given.trust.client = match (certificate, key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate, key)),
            _ => return Err(invalid("the warehouse's URL must have both `sslcert` and `sslkey`, or neither")),
        };
        Ok(given)
    }

    fn tls(&self, host: &str) -> Result<Tls, WarehouseError> {
        let is_loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        let asks_for_tls = self.trust != Trust::default();
        match self.sslmode.as_deref() {
            Some("require" | "verify-full") => Ok(Tls::Verified(self.trust.clone())),
            None if asks_for_tls || !is_loopback => Ok(Tls::Verified(self.trust.clone())),
            Some("disable") if asks_for_tls => {
                Err(invalid("the warehouse's URL has certificates and `sslmode=disable`: leave one out"))
            }
            None | Some("disable") => Ok(Tls::Off),
            Some(mode) => Err(invalid(format!(
                "sslmode={mode} may fall back to plaintext or trust any server: use verify-full, or disable to do without"
            ))),
        }
    }
}

fn seconds(name: &str, value: &str) -> Result<u64, WarehouseError> {
    let seconds = value.parse().ok().filter(|seconds| (1..=3600).contains(seconds));
    seconds.ok_or_else(|| invalid(format!("the warehouse's URL has {name}={value}; it is a number of seconds, 1 to 3600")))
}

#[cfg(test)]
mod tests;
