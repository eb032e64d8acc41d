//! A schema registry with Confluent's REST interface: Apicurio, from the archive in the cache.

use std::time::Duration;

use crate::StackError;
use crate::process::{Process, ServerFolder, cache_folder, free_ports};

const REGISTRY: &str = "the schema registry";
const SERVES_WITHIN: Duration = Duration::from_secs(120);

/// A registry that stores its schemas in a file, so that they survive [`Registry::restart`].
#[derive(Debug)]
pub struct Registry {
    process: Option<Process>,
    port: u16,
    folder: ServerFolder,
}

impl Registry {
    pub fn start() -> Result<Self, StackError> {
        let [port] = free_ports()?;
        let mut registry = Self { process: None, port, folder: ServerFolder::create("registry")? };
        registry.restart()?;
        Ok(registry)
    }

    /// Starts it again, on the same port and with the same schemas.
    pub fn restart(&mut self) -> Result<(), StackError> {
        self.kill();
        let jar = cache_folder("registry").join("apicurio-registry-app-3.0.9-runner.jar");
        if !jar.is_file() {
            return Err(StackError::Missing { what: "Apicurio Registry 3.0.9", path: jar });
        }
        let storage = format!("jdbc:h2:file:{};WRITE_DELAY=0", self.folder.join("schemas").display());
        let mut process = Process::spawn(REGISTRY, "java", &self.folder.join("registry.log"), |command| {
            command.env("QUARKUS_HTTP_HOST", "127.0.0.1").env("QUARKUS_HTTP_PORT", self.port.to_string());
            command.env("APICURIO_DATASOURCE_URL", storage);
            command.args(["-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar"]).arg(jar);
        })?;
        let subjects = format!("{}/subjects", self.url());
        process.wait_until(SERVES_WITHIN, || ureq::get(&subjects).call().is_ok())?;
        self.process = Some(process);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// The registry's URL for clients.
    pub fn url(&self) -> String {
        format!("http://{}/apis/ccompat/v7", self.address())
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}
