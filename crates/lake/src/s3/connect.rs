//! The client of a bucket's server: address, keys and time limits.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use kassa_model::Secret;
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::client::SpawnedReqwestConnector;
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use tokio::runtime::Handle;

use super::{LONGEST_PAUSE, PAUSE};
use crate::store::Refused;

/// The time limit of a request with its body.
const REQUEST: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);
/// The number of retries of one request.
const RETRIES: usize = 10;

/// A prefix of a bucket, and the settings of its server.
#[derive(Debug, Clone)]
pub struct S3Options {
    pub bucket: String,
    /// Without a `/` at either end; may be empty.
    pub prefix: String,
    /// `http[s]://HOST:PORT`; `None`: Amazon's endpoint of the region.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    /// Whether the bucket is a part of the path instead of the host name.
    pub path_style: bool,
    /// `None`: those of the environment, of a web identity, a container or an instance.
    pub keys: Option<Keys>,
    /// A local folder for what does not fit into memory.
    pub scratch: PathBuf,
    /// How long temporary failures are retried.
    pub patience: Duration,
}

/// Access keys.
#[derive(Debug, Clone)]
pub struct Keys {
    pub access_key_id: Secret,
    pub secret_access_key: Secret,
    /// Only for temporary keys.
    pub session_token: Option<Secret>,
}

pub(super) fn client(options: &S3Options, runtime: &Handle) -> io::Result<AmazonS3> {
    let builder = match &options.keys {
        Some(keys) => with_keys(keys),
        None => AmazonS3Builder::from_env(),
    };
    let mut builder = builder
        .with_bucket_name(&options.bucket)
        .with_virtual_hosted_style_request(!options.path_style)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(retries(options.patience))
        .with_client_options(ClientOptions::new().with_timeout(REQUEST).with_connect_timeout(CONNECT))
        .with_http_connector(SpawnedReqwestConnector::new(runtime.clone()));
    if let Some(endpoint) = &options.endpoint {
        let host = if options.path_style { endpoint.clone() } else { in_host(endpoint, &options.bucket) };
        builder = builder.with_endpoint(host).with_allow_http(endpoint.starts_with("http://"));
    }
    if let Some(region) = region(options) {
        builder = builder.with_region(region);
    }
    builder.build().map_err(|error| Refused::error(format!("cannot create the S3 client: {error}"), "fix [lake.s3]"))
}

/// With explicit keys, none are taken from the environment: a session token of other keys would
/// make them invalid.
fn with_keys(keys: &Keys) -> AmazonS3Builder {
    let builder = AmazonS3Builder::new()
        .with_access_key_id(keys.access_key_id.expose())
        .with_secret_access_key(keys.secret_access_key.expose());
    match &keys.session_token {
        Some(token) => builder.with_token(token.expose()),
        None => builder,
    }
}

fn region(options: &S3Options) -> Option<String> {
    let of_environment = || ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| std::env::var(name).ok());
    options.region.clone().or_else(of_environment)
}

/// `https://bucket.host`
fn in_host(endpoint: &str, bucket: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, host)) => format!("{scheme}://{bucket}.{host}"),
        None => endpoint.to_owned(),
    }
}

fn retries(patience: Duration) -> RetryConfig {
    let backoff = BackoffConfig { init_backoff: PAUSE, max_backoff: LONGEST_PAUSE, base: 2.0 };
    RetryConfig { backoff, max_retries: RETRIES, retry_timeout: patience }
}
