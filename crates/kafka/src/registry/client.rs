use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kassa_model::{Cause, Secret};
use serde::{Deserialize, Serialize};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body, http::Response};

use super::{Referred, RegistryError, Schema};

/// The size limit of a schema with everything that it refers to.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The limit of references of a schema, in total; it also stops circular references.
const REFERENCES_MAX: usize = 256;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Auth {
    #[default]
    None,
    Basic {
        user: String,
        password: Secret,
    },
    Bearer(Secret),
}

#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// The parent of `/subjects` and `/schemas`.
    pub url: String,
    pub auth: Auth,
    /// A PEM file with the authority of the registry's certificate; default: the system's
    /// authorities.
    pub ca: Option<PathBuf>,
    /// The time limit of each request, from the connection to the last byte.
    pub timeout: Duration,
    /// The number of tries of a request before the error is returned.
    pub tries: u32,
    /// The pause after the first failed try; it doubles after each try.
    pub pause: Duration,
}

impl RegistryOptions {
    pub fn new(url: impl Into<String>) -> Self {
        let (timeout, pause) = (Duration::from_secs(10), Duration::from_millis(100));
        Self { url: url.into(), auth: Auth::None, ca: None, timeout, tries: 3, pause }
    }
}

pub struct RegistryClient {
    agent: Agent,
    options: RegistryOptions,
    authorization: Option<Secret>,
}

impl fmt::Debug for RegistryClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RegistryClient").field("options", &self.options).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    schema: String,
    #[serde(rename = "schemaType")]
    kind: Option<String>,
    references: Option<Vec<Reference>>,
}

/// A reference, as in the registry's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Reference {
    name: String,
    subject: String,
    version: i64,
}

#[derive(Deserialize)]
struct Problem {
    error_code: i64,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Registered {
    id: u32,
}

impl RegistryClient {
    /// Does not connect yet.
    pub fn new(mut options: RegistryOptions) -> Result<Self, RegistryError> {
        let invalid = |why: Cause| RegistryError::Invalid { what: "the schema registry's URL".into(), why };
        let url = url::Url::parse(&options.url).map_err(|error| invalid(Cause::of(error)))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || url.query().is_some() {
            return Err(invalid("it must be http:// or https://, a host and a path".into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(
                "it contains a user: user and password have their own keys, so that no URL contains a secret".into(),
            ));
        }
        options.url.truncate(options.url.trim_end_matches('/').len());
        let authorization = match &options.auth {
            Auth::None => None,
            Auth::Basic { user, password } => {
                Some(derived(password, format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose())))))
            }
            Auth::Bearer(token) => Some(derived(token, format!("Bearer {}", token.expose()))),
        };
        let config = Agent::config_builder()
            .tls_config(tls(url.scheme(), options.ca.as_deref())?)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_global(Some(options.timeout));
        Ok(Self { agent: config.build().new_agent(), options, authorization })
    }

    /// `None`: the registry has no schema with this id.
    pub fn schema(&self, id: u32) -> Result<Option<Schema>, RegistryError> {
        let Some(answer) = self.get::<Answer>(&format!("/schemas/ids/{id}"))? else { return Ok(None) };
        let mut references = Vec::new();
        for reference in answer.references.unwrap_or_default() {
            self.resolve(&reference, &mut Vec::new(), &mut references)?;
        }
        Ok(Some(Schema { id, kind: answer.kind.unwrap_or_else(|| "AVRO".into()), text: answer.schema, references }))
    }

    /// The names of registered schemas.
    pub fn subjects(&self) -> Result<Vec<String>, RegistryError> {
        let path = "/subjects";
        self.get::<Vec<String>>(path)?.ok_or_else(|| self.not_a_registry(format!("it has no {path}")))
    }

    /// Adds a reference, after the references of that schema.
    fn resolve(&self, reference: &Reference, above: &mut Vec<String>, found: &mut Vec<Referred>) -> Result<(), RegistryError> {
        if found.iter().any(|referred| referred.name == reference.name) {
            return Ok(());
        }
        if above.contains(&reference.name) || found.len() + above.len() >= REFERENCES_MAX {
            let why = format!("the references of {} are circular, or more than {REFERENCES_MAX}", reference.name);
            return Err(RegistryError::Invalid { what: "a schema".into(), why: why.into() });
        }
        let (subject, version) = (percent_encoded(&reference.subject), reference.version);
        let answer =
            self.get::<Answer>(&format!("/subjects/{subject}/versions/{version}"))?.ok_or_else(|| RegistryError::Invalid {
                what: format!("a schema that refers to {}", reference.name),
                why: format!("the registry has no version {version} of {}", reference.subject).into(),
            })?;
        above.push(reference.name.clone());
        for below in answer.references.unwrap_or_default() {
            self.resolve(&below, above, found)?;
        }
        above.pop();
        found.push(Referred { name: reference.name.clone(), text: answer.schema });
        Ok(())
    }

    /// Registers a schema of a kind (AVRO, JSON) with a subject. Returns its id, which is the same
    /// each time. `references`: name, subject, version.
    pub fn register(
        &self,
        subject: &str,
        kind: &str,
        text: &str,
        references: &[(&str, &str, i64)],
    ) -> Result<u32, RegistryError> {
        let references = references.iter().map(|(name, subject, version)| Reference {
            name: (*name).into(),
            subject: (*subject).into(),
            version: *version,
        });
        let references = references.collect::<Vec<_>>();
        let body = serde_json::json!({ "schema": text, "schemaType": kind, "references": references }).to_string();
        let path = format!("/subjects/{}/versions", percent_encoded(subject));
        let (status, answer) = self.tried(&path, Some(&body))?;
        match status {
            200 => Ok(self.parsed::<Registered>(&answer)?.id),
            _ => {
                let why = serde_json::from_str::<Problem>(&answer)
                    .map_or_else(|_| format!("status {status}"), |problem| problem.message);
                Err(RegistryError::Refused { url: self.options.url.clone(), subject: subject.into(), why })
            }
        }
    }

    fn get<T: for<'a> Deserialize<'a>>(&self, path: &str) -> Result<Option<T>, RegistryError> {
        let (status, answer) = self.tried(path, None)?;
        match status {
            200 => self.parsed(&answer).map(Some),
            // A wrong URL also gives 404 and must not turn good records into dead letters. A
            // registry's own 404 has an error code.
            404 if serde_json::from_str::<Problem>(&answer).is_ok_and(|problem| problem.error_code / 100 == 404) => Ok(None),
            _ => Err(self.not_a_registry(format!("status {status} for {path}"))),
        }
    }

    fn parsed<T: for<'a> Deserialize<'a>>(&self, answer: &str) -> Result<T, RegistryError> {
        serde_json::from_str(answer).map_err(|error| self.not_a_registry(Cause::of(error)))
    }

    fn not_a_registry(&self, why: impl Into<Cause>) -> RegistryError {
        RegistryError::NotARegistry { url: self.options.url.clone(), why: why.into() }
    }

    /// The answer's status and text. Retries while the registry is unavailable.
    fn tried(&self, path: &str, body: Option<&str>) -> Result<(u16, String), RegistryError> {
        let mut pause = self.options.pause;
        for _ in 1..self.options.tries {
            match self.once(path, body) {
                Err(error) if error.is_transient() => thread::sleep(pause),
                answer => return answer,
            }
            pause *= 2;
        }
        self.once(path, body)
    }

    fn once(&self, path: &str, body: Option<&str>) -> Result<(u16, String), RegistryError> {
        let url = &self.options.url;
        let unavailable = |why: Cause| RegistryError::Unavailable { url: url.clone(), why };
        let mut response = self.call(path, body).map_err(|error| match error {
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::Pem(_) => self.not_a_registry(Cause::of(error)),
            error if error.to_string().contains("certificate") => self.not_a_registry(Cause::of(error)),
            error => unavailable(Cause::of(error)),
        })?;
        let status = response.status().as_u16();
        match status {
            300..=399 => {
                let to =
                    response.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or("somewhere else").to_owned();
                return Err(RegistryError::Redirected { url: url.clone(), to });
            }
            401 | 403 => return Err(RegistryError::Credentials { url: url.clone(), identity: self.identity(), status }),
            408 | 429 | 500..=599 => return Err(unavailable(format!("status {status}").into())),
            _ => {}
        }
        let answer = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        Ok((status, answer.map_err(|error| unavailable(Cause::of(error)))?))
    }

    fn call(&self, path: &str, body: Option<&str>) -> Result<Response<Body>, ureq::Error> {
        let url = format!("{}{path}", self.options.url);
        let accept = "application/vnd.schemaregistry.v1+json, application/json";
        match body {
            None => {
                let request = self.agent.get(url).header("accept", accept);
                self.authorized(request).call()
            }
            Some(body) => {
                let request = self.agent.post(url).header("accept", accept);
                self.authorized(request).header("content-type", "application/vnd.schemaregistry.v1+json").send(body)
            }
        }
    }

    fn authorized<S>(&self, request: ureq::RequestBuilder<S>) -> ureq::RequestBuilder<S> {
        match &self.authorization {
            Some(authorization) => request.header("authorization", authorization.expose()),
            None => request,
        }
    }

    fn identity(&self) -> String {
        match &self.options.auth {
            Auth::None => "a request without credentials".into(),
            Auth::Basic { user, .. } => format!("user {user}"),
            Auth::Bearer(_) => "the token".into(),
        }
    }
}

/// A header made from a secret.
fn derived(from: &Secret, header: String) -> Secret {
    Secret::new(from.reference(), header)
}

fn tls(scheme: &str, ca: Option<&Path>) -> Result<TlsConfig, RegistryError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = TlsConfig::builder().provider(TlsProvider::Rustls).unversioned_rustls_crypto_provider(provider);
    if scheme == "http" {
        return Ok(builder.build());
    }
    let roots = match ca {
        Some(file) => authorities(file)?,
        None => rustls_native_certs::load_native_certs().certs.iter().map(|of| Certificate::from_der(of).to_owned()).collect(),
    };
    Ok(builder.root_certs(RootCerts::new_with_certs(&roots)).build())
}

fn authorities(file: &Path) -> Result<Vec<Certificate<'static>>, RegistryError> {
    let invalid = |why: Cause| RegistryError::Invalid { what: format!("the authority in {}", file.display()), why };
    let pem = fs::read(file).map_err(|error| invalid(Cause::of(error)))?;
    let items = ureq::tls::parse_pem(&pem).collect::<Result<Vec<_>, _>>().map_err(|error| invalid(Cause::of(error)))?;
    let found = items.into_iter().filter_map(|item| if let PemItem::Certificate(of) = item { Some(of) } else { None });
    let found = found.collect::<Vec<_>>();
    if found.is_empty() { Err(invalid("it has no certificate".into())) } else { Ok(found) }
}

/// A subject as part of a path: it may contain slashes and similar characters.
fn percent_encoded(subject: &str) -> String {
    url::form_urlencoded::byte_serialize(subject.as_bytes()).collect::<String>().replace('+', "%20")
}
