//! The Data API: a statement is submitted with a token, runs asynchronously, and is polled.
//!
//! With the same token, the same request is the same statement, however often it is sent. So after
//! a lost reply the request is sent again.

mod judge;

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_redshiftdata::Client;
use aws_sdk_redshiftdata::config::retry::RetryConfig;
use aws_sdk_redshiftdata::config::timeout::TimeoutConfig;
use aws_sdk_redshiftdata::config::{BehaviorVersion, Region};
use aws_sdk_redshiftdata::primitives::DateTime;
use aws_sdk_redshiftdata::types::{Field, StatusString};
use tokio::runtime::Runtime;

use self::judge::{Failure, judged};
use crate::error::ExportError;
use crate::target::{Place, Target};

/// The caller's AWS identity.
#[derive(Clone)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// Returns the currently valid credentials.
pub(crate) type Source = dyn Fn() -> Result<Credentials, Box<dyn Error + Send + Sync>> + Send + Sync;

/// Requests credentials each time a request is signed, because temporary ones expire.
struct Provider(Arc<Source>);

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Provider")
    }
}

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let source = Arc::clone(&self.0);
        future::ProvideCredentials::new(async move {
            let asked = tokio::task::spawn_blocking(move || source()).await;
            let given = asked.map_err(CredentialsError::unhandled)?.map_err(CredentialsError::not_loaded)?;
            let Credentials { access_key_id, secret_access_key, session_token } = given;
            Ok(aws_credential_types::Credentials::new(access_key_id, secret_access_key, session_token, None, "kassa"))
        })
    }
}

/// The longest duration of one request with its body.
const REQUEST: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);
/// The pauses between two polls of a statement, and between two attempts of a request.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// A statement that runs longer is given up: maintenance keeps the files that it reads for an hour.
const STATEMENT: Duration = Duration::from_secs(3600);
/// The largest batch of the Data API.
pub(crate) const BATCH: usize = 40;

/// The outcome of a batch.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The rows of each statement; negative if unknown.
    Finished(Vec<i64>),
    /// Nothing of it was done, according to the Data API. `is_old`: it failed before this run
    /// began, and the API only remembers it.
    Failed { why: String, is_old: bool },
    /// The outcome is unknown.
    Lost(String),
}

/// A running batch.
#[derive(Debug)]
pub(crate) struct Ticket {
    id: String,
    is_old: bool,
}

/// The cells of a row; `None` is NULL.
pub(crate) type Row = Vec<Option<String>>;

pub(crate) struct Api {
    runtime: Runtime,
    client: Client,
    target: Target,
    /// When the first statement of this run was created, by the server's clock.
    began: Cell<Option<DateTime>>,
}

impl Api {
    pub(crate) fn new(target: &Target, credentials: Arc<Source>) -> Result<Self, ExportError> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("data-api").enable_all().build()?;
        let timeouts = TimeoutConfig::builder().operation_timeout(REQUEST).connect_timeout(CONNECT).build();
        let mut config = aws_sdk_redshiftdata::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(target.region.clone()))
            .credentials_provider(Provider(credentials))
            // Attempts are counted here, because this code knows which requests may be repeated.
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        if let Some(endpoint) = &target.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Ok(Self { runtime, client: Client::from_conf(config.build()), target: target.clone(), began: Cell::new(None) })
    }

    fn unavailable(&self, why: String) -> ExportError {
        ExportError::Unavailable { place: self.target.name(), why }
    }

    /// Retries until there is an answer or the patience ends.
    fn patiently<T>(&self, ask: impl Fn() -> Result<T, Failure>) -> Result<T, ExportError> {
        let (until, mut pause) = (Instant::now() + self.target.patience, FIRST_PAUSE);
        loop {
            match ask() {
                Ok(answer) => return Ok(answer),
                Err(Failure::Refused { what, fix }) => {
                    return Err(ExportError::Refused { what: format!("{}: {what}", self.target.name()), fix });
                }
                Err(Failure::Passing(why)) if Instant::now() + pause < until => {
                    tracing::debug!(why, "asking the Data API again");
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(Failure::Passing(why) | Failure::Gone(why)) => return Err(self.unavailable(why)),
            }
        }
    }

    /// Submits statements that run as one transaction.
    pub(crate) fn submit(&self, name: &str, sqls: &[String], token: &str) -> Result<Ticket, ExportError> {
        let (workgroup, cluster, user) = match &self.target.place {
            Place::Workgroup(name) => (Some(name.clone()), None, None),
            Place::Cluster { id, db_user } => (None, Some(id.clone()), db_user.clone()),
        };
        let answer = self.patiently(|| {
            let request = self.client.batch_execute_statement();
            let request = request.set_workgroup_name(workgroup.clone()).set_cluster_identifier(cluster.clone());
            let request = request.set_db_user(user.clone()).set_secret_arn(self.target.secret_arn.clone());
            let request = request.database(&self.target.database).set_sqls(Some(sqls.to_vec()));
            let request = request.statement_name(format!("kassa: {name}")).client_token(token);
            self.runtime.block_on(request.send()).map_err(|error| judged(&error))
        })?;
        let began = self.began.get().or(answer.created_at);
        self.began.set(began);
        let is_old = answer.created_at.zip(began).is_some_and(|(created, began)| created < began);
        let id = answer.id.ok_or_else(|| self.unavailable("a statement was taken without an id".to_owned()))?;
        Ok(Ticket { id, is_old })
    }

    /// Waits until the batch has ended.
    pub(crate) fn wait(&self, ticket: &Ticket) -> Result<Outcome, ExportError> {
        let (until, mut pause) = (Instant::now() + STATEMENT, FIRST_PAUSE);
        loop {
            let asked = self.patiently(|| {
                let answer = self.runtime.block_on(self.client.describe_statement().id(&ticket.id).send());
                match answer.map_err(|error| judged(&error)) {
                    Err(Failure::Gone(why)) => Ok(Err(why)),
                    answer => answer.map(Ok),
                }
            })?;
            let described = match asked {
                Ok(described) => described,
                Err(why) => return Ok(Outcome::Lost(why)),
            };
            let why = || described.error().unwrap_or("it does not say why").to_owned();
            match described.status() {
                Some(StatusString::Finished) => {
                    return Ok(Outcome::Finished(described.sub_statements().iter().map(|part| part.result_rows).collect()));
                }
                Some(StatusString::Failed) => return Ok(Outcome::Failed { why: why(), is_old: ticket.is_old }),
                Some(StatusString::Aborted) => {
                    return Ok(Outcome::Failed { why: format!("it was aborted: {}", why()), is_old: ticket.is_old });
                }
                _ if Instant::now() > until => {
                    return Ok(Outcome::Lost(format!("it still runs after {} s", STATEMENT.as_secs())));
                }
                _ => std::thread::sleep(pause),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The rows of a query.
    pub(crate) fn query(&self, name: &str, sql: &str, token: &str) -> Result<Vec<Row>, ExportError> {
        let ticket = self.submit(name, &[sql.to_owned()], token)?;
        match self.wait(&ticket)? {
            Outcome::Finished(_) => self.rows(&format!("{}:1", ticket.id)),
            Outcome::Failed { why, .. } => Err(ExportError::Statement { name: name.to_owned(), why }),
            Outcome::Lost(why) => Err(self.unavailable(why)),
        }
    }

    fn rows(&self, id: &str) -> Result<Vec<Row>, ExportError> {
        let (mut rows, mut next) = (Vec::new(), None::<String>);
        loop {
            let page = self.patiently(|| {
                let request = self.client.get_statement_result().id(id).set_next_token(next.clone());
                self.runtime.block_on(request.send()).map_err(|error| judged(&error))
            })?;
            rows.extend(page.records.iter().map(|row| row.iter().map(text).collect::<Row>()));
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(rows);
            }
        }
    }
}

fn text(field: &Field) -> Option<String> {
    match field {
        Field::LongValue(value) => Some(value.to_string()),
        Field::StringValue(text) => Some(text.clone()),
        Field::BooleanValue(value) => Some(value.to_string()),
        Field::DoubleValue(value) => Some(value.to_string()),
        _ => None,
    }
}
