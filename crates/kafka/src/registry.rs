//! Schemas by id, from a registry with Confluent's REST interface. Each schema is stored beside the
//! archive before its first use.

mod client;
mod snapshots;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kassa_model::Cause;
use serde::{Deserialize, Serialize};

pub use client::{Auth, RegistryClient, RegistryOptions};
pub use snapshots::{FolderSnapshots, Snapshots};

/// A schema and everything that it refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    pub id: u32,
    /// AVRO, JSON or PROTOBUF.
    pub kind: String,
    pub text: String,
    /// The direct and indirect references, each after its own references.
    #[serde(default)]
    pub references: Vec<Referred>,
}

/// A schema that another one refers to by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referred {
    pub name: String,
    pub text: String,
}

/// Why a schema could not be fetched. An id that the registry does not have is not an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The registry is down, slow or busy: retry. No record becomes a dead letter because of it.
    #[error("could not reach the schema registry at {url}: {why}")]
    Unavailable {
        url: String,
        #[source]
        why: Cause,
    },
    #[error("the schema registry at {url} refused {identity} ({status})")]
    Credentials { url: String, identity: String, status: u16 },
    #[error("the schema registry at {url} redirects to {to}")]
    Redirected { url: String, to: String },
    #[error("{url} does not answer as a schema registry: {why}")]
    NotARegistry {
        url: String,
        #[source]
        why: Cause,
    },
    #[error("the schema registry at {url} refused the schema for {subject}: {why}")]
    Refused { url: String, subject: String, why: String },
    #[error("{what} cannot be used: {why}")]
    Invalid {
        what: String,
        #[source]
        why: Cause,
    },
    #[error("could not {doing} the snapshot of schema {id}: {why}")]
    Snapshot {
        doing: &'static str,
        id: u32,
        #[source]
        why: Cause,
    },
}

impl RegistryError {
    /// Whether it may work later without a change.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// How to fix it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unavailable { .. } => "the records wait; check the registry and the network".into(),
            Self::Credentials { .. } => "check the registry's user and password, or its token".into(),
            Self::Redirected { to, .. } => {
                format!(
                    "redirects are not followed, so that credentials do not reach another server: if {to} is right, configure it"
                )
            }
            Self::NotARegistry { .. } => "the URL must be the parent of /subjects and /schemas".into(),
            Self::Refused { .. } | Self::Invalid { .. } | Self::Snapshot { .. } => return None,
        })
    }
}

/// The limit of cached schemas and of cached unknown ids: far more than a shop has.
const REMEMBERED_MAX: usize = 10_000;
/// An unknown id is not requested again for this time.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
struct Remembered {
    known: HashMap<u32, Arc<Schema>>,
    unknown: HashMap<u32, Instant>,
}

/// Schemas by id: first from the cache, then from the snapshots, then from the registry. New ones
/// are stored as snapshots before use.
#[derive(Debug)]
pub struct Schemas {
    registry: Option<RegistryClient>,
    snapshots: Option<Box<dyn Snapshots>>,
    remembered: Mutex<Remembered>,
}

impl Schemas {
    /// Without a registry, only schemas with a snapshot are available.
    pub fn new(registry: Option<RegistryClient>, snapshots: Option<Box<dyn Snapshots>>) -> Self {
        Self { registry, snapshots, remembered: Mutex::default() }
    }

    /// `None`: there is no schema with this id.
    pub fn schema(&self, id: u32) -> Result<Option<Arc<Schema>>, RegistryError> {
        if let Some(known) = self.remembered().known.get(&id) {
            return Ok(Some(Arc::clone(known)));
        }
        if let Some(schema) = self.load(id)? {
            return Ok(Some(self.remember(schema)));
        }
        if self.remembered().unknown.get(&id).is_some_and(|since| since.elapsed() < UNKNOWN_FOR) {
            return Ok(None);
        }
        let Some(registry) = &self.registry else { return Ok(None) };
        let Some(schema) = registry.schema(id)? else {
            let mut remembered = self.remembered();
            if remembered.unknown.len() >= REMEMBERED_MAX {
                remembered.unknown.clear();
            }
            remembered.unknown.insert(id, Instant::now());
            return Ok(None);
        };
        if let Some(snapshots) = &self.snapshots {
            snapshots.store(&schema).map_err(|error| snapshot("write", id, error))?;
        }
        Ok(Some(self.remember(schema)))
    }

    fn load(&self, id: u32) -> Result<Option<Schema>, RegistryError> {
        self.snapshots.as_ref().map_or(Ok(None), |snapshots| snapshots.load(id).map_err(|error| snapshot("read", id, error)))
    }

    fn remember(&self, schema: Schema) -> Arc<Schema> {
        let schema = Arc::new(schema);
        let mut remembered = self.remembered();
        if remembered.known.len() >= REMEMBERED_MAX {
            remembered.known.clear();
        }
        remembered.known.insert(schema.id, Arc::clone(&schema));
        schema
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn snapshot(doing: &'static str, id: u32, error: io::Error) -> RegistryError {
    RegistryError::Snapshot { doing, id, why: Cause::of(error) }
}
