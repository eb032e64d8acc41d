//! The schema registry for the pipeline. Each used schema is stored beside the archive, which stays
//! readable without the registry.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use kassa_config::{Config, Login};
use kassa_kafka::registry::{Auth, RegistryClient, RegistryError, RegistryOptions, Schema, Schemas, Snapshots};
use kassa_lake::Store;
use kassa_model::Cause;
use kassa_pipeline::ports::{self, SchemaText, SchemasError};

/// The pause before a registry that does not answer is asked again.
const RETRY: Duration = Duration::from_secs(1);
/// How often a pause looks for the end of the program.
const LOOK: Duration = Duration::from_millis(50);

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

/// The wait of a running pipeline for a registry that does not answer: its records wait too.
#[derive(Debug, Default)]
pub struct Patience {
    /// Set when the program is to end.
    stop: Arc<AtomicBool>,
    why: Mutex<Option<String>>,
}

impl Patience {
    pub fn new(stop: Arc<AtomicBool>) -> Self {
        Self { stop, why: Mutex::default() }
    }

    /// Why the pipeline waits, while it does.
    pub fn why(&self) -> Option<String> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show(&self, why: Option<String>) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Waits before the next try. `false`: the program ends.
    fn wait(&self, error: &RegistryError) -> bool {
        tracing::warn!(%error, "the records wait for the schema registry; trying again");
        self.show(Some(error.to_string()));
        let until = Instant::now() + RETRY;
        while Instant::now() < until && !self.stop.load(Ordering::Acquire) {
            thread::sleep(LOOK);
        }
        !self.stop.load(Ordering::Acquire)
    }
}

#[derive(Debug)]
pub struct Registry {
    schemas: Schemas,
    patience: Option<Arc<Patience>>,
}

impl Registry {
    /// Without a registry, only the schemas beside the archive are available. Without `patience`, one that does not answer is an error.
    pub fn of(config: &Config, store: &Arc<dyn Store>, patience: Option<Arc<Patience>>) -> anyhow::Result<Self> {
        let client = config.registry.as_ref().map(client).transpose()?;
        Ok(Self { schemas: Schemas::new(client, Some(Box::new(BesideArchive(Arc::clone(store))))), patience })
    }

    fn asked(&self, id: u32) -> Result<Option<Arc<Schema>>, RegistryError> {
        loop {
            match (self.schemas.schema(id), &self.patience) {
                (Err(error), Some(patience)) if error.is_transient() && patience.wait(&error) => {}
                (answer, patience) => {
                    patience.iter().for_each(|patience| patience.show(None));
                    return answer;
                }
            }
        }
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
        let schema = self.asked(number).map_err(|error| SchemasError { id, why: Cause::of(error) })?;
        Ok(schema.filter(|schema| schema.kind == "AVRO").map(|schema| SchemaText {
            text: schema.text.as_str().into(),
            references: schema.references.iter().map(|referred| referred.text.as_str().into()).collect(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::thread::JoinHandle;

    use super::*;

    type Answer = Result<Option<Arc<Schema>>, RegistryError>;

    /// A pipeline that waits for a registry where nobody listens.
    fn waiting() -> (Arc<Patience>, Arc<AtomicBool>, SocketAddr, JoinHandle<Answer>) {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let stop = Arc::<AtomicBool>::default();
        let patience = Arc::new(Patience::new(Arc::clone(&stop)));
        let client = RegistryClient::new(RegistryOptions::new(format!("http://{address}"))).unwrap();
        let registry = Registry { schemas: Schemas::new(Some(client), None), patience: Some(Arc::clone(&patience)) };
        let asking = thread::spawn(move || registry.asked(1));
        let give_up = Instant::now() + Duration::from_secs(60);
        while patience.why().is_none() {
            assert!(Instant::now() < give_up && !asking.is_finished(), "it does not wait");
            thread::sleep(LOOK);
        }
        assert!(patience.why().is_some_and(|why| why.contains(&address.to_string())));
        (patience, stop, address, asking)
    }

    #[test]
    fn the_records_wait_for_a_registry_until_it_answers() {
        let (patience, _stop, address, asking) = waiting();
        let listener = TcpListener::bind(address).unwrap();
        let (mut client, _) = listener.accept().unwrap();
        let mut head = [0; 4_096];
        assert!(client.read(&mut head).unwrap() > 0);
        let body = r#"{"schema":"\"string\""}"#;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
        write!(client, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        drop(client);
        let schema = asking.join().unwrap().unwrap().unwrap();
        assert_eq!((schema.text.as_str(), patience.why()), ("\"string\"", None));
    }

    #[test]
    fn the_end_of_the_program_does_not_wait_for_a_registry() {
        let (_, stop, _, asking) = waiting();
        stop.store(true, Ordering::Release);
        let error = asking.join().unwrap().unwrap_err();
        assert!(error.is_transient(), "{error:?}");
    }
}
