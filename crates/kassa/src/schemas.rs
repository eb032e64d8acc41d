//! The schema registry for the pipeline. Each used schema is stored beside the archive, which stays
//! readable without the registry.

use std::io;
use std::sync::Arc;

use anyhow::Context;
use kassa_config::{Config, Login};
use kassa_kafka::registry::{Auth, RegistryClient, RegistryOptions, Schema, Schemas, Snapshots};
use kassa_lake::Store;
use kassa_model::Cause;
use kassa_pipeline::ports::{self, SchemaText, SchemasError};

/// Schemas in the lake's store, below the archive.
#[derive(Debug)]
struct BesideArchive(Arc<dyn Store>);

fn path(id: u32) -> String {
    format!("_kassa/schemas/{id}.json")
}

impl Snapshots for BesideArchive {
    fn load(&self, id: u32) -> io::Result<Option<Schema>> {
        match self.0.get(&path(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => Ok(Some(serde_json::from_slice(&read?)?)),
        }
    }

    fn store(&self, schema: &Schema) -> io::Result<()> {
        // An id identifies one schema forever, so the first stored one is correct.
        self.0.put_new(&path(schema.id), &serde_json::to_vec_pretty(schema)?).map(|_| ())
    }
}

#[derive(Debug)]
pub struct Registry(Schemas);

impl Registry {
    /// Without a registry, only the schemas beside the archive are available.
    pub fn of(config: &Config, store: &Arc<dyn Store>) -> anyhow::Result<Self> {
        let client = config.registry.as_ref().map(client).transpose()?;
        Ok(Self(Schemas::new(client, Some(Box::new(BesideArchive(Arc::clone(store)))))))
    }
}

pub fn client(registry: &kassa_config::Registry) -> anyhow::Result<RegistryClient> {
    let mut options = RegistryOptions::new(registry.url.clone());
    options.ca = registry.ca.clone();
    options.auth = match &registry.login {
        None => Auth::None,
        Some(Login::Basic { user, password }) => Auth::Basic { user: user.clone(), password: password.clone() },
        Some(Login::Bearer(token)) => Auth::Bearer(token.clone()),
    };
    RegistryClient::new(options).context("could not use the schema registry")
}

impl ports::Schemas for Registry {
    fn schema(&mut self, id: i32) -> Result<Option<SchemaText>, SchemasError> {
        let Ok(number) = u32::try_from(id) else { return Ok(None) };
        let schema = self.0.schema(number).map_err(|error| SchemasError { id, why: Cause::of(error) })?;
        Ok(schema.filter(|schema| schema.kind == "AVRO").map(|schema| SchemaText {
            text: schema.text.as_str().into(),
            references: schema.references.iter().map(|referred| referred.text.as_str().into()).collect(),
        }))
    }
}
