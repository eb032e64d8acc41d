//! One Kafka broker (KRaft, broker and controller in one process), from the jars in the cache.

mod properties;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::process::{Process, ServerFolder, cache_folder, free_ports};
use crate::{Certificates, StackError};

const KAFKA: &str = "Kafka";
const SERVES_WITHIN: Duration = Duration::from_secs(120);

/// Options of the broker in addition to its PLAINTEXT listener.
#[derive(Debug, Clone, Default)]
pub struct KafkaOptions {
    /// Listeners for TLS, mutual TLS, and SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512) over TLS and
    /// over plaintext.
    pub security: bool,
    /// Users and passwords, for all mechanisms.
    pub users: Vec<(String, String)>,
    /// If any: only these users and anonymous clients may do anything without an ACL.
    pub superusers: Vec<String>,
    /// More properties of the broker.
    pub properties: Vec<(String, String)>,
}

/// A broker and its addresses. Ports stay the same after [`Kafka::kill`] and [`Kafka::restart`].
#[derive(Debug)]
pub struct Kafka {
    process: Option<Process>,
    ports: Ports,
    certificates: Certificates,
    folder: ServerFolder,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    plaintext: u16,
    tls: u16,
    mutual_tls: u16,
    sasl_tls: u16,
    sasl_plaintext: u16,
    controller: u16,
}

impl Kafka {
    pub fn start(options: &KafkaOptions) -> Result<Self, StackError> {
        let folder = ServerFolder::create("kafka")?;
        let certificates = Certificates::generate()?;
        folder.write("server.pem", &format!("{}{}{}", certificates.server_key, certificates.server, certificates.ca))?;
        folder.write("ca.pem", &certificates.ca)?;
        folder.write("client.pem", &certificates.client)?;
        folder.write("client.key", &certificates.client_key)?;
        let [plaintext, tls, mutual_tls, sasl_tls, sasl_plaintext, controller] = free_ports()?;
        let ports = Ports { plaintext, tls, mutual_tls, sasl_tls, sasl_plaintext, controller };
        folder.write("broker.properties", &properties::broker(options, &ports, folder.path()))?;
        format_storage(options, &folder)?;
        let mut kafka = Self { process: None, ports, certificates, folder };
        kafka.restart()?;
        Ok(kafka)
    }

    /// Starts the broker again, on the same ports and data.
    pub fn restart(&mut self) -> Result<(), StackError> {
        self.kill();
        let log = self.folder.join("broker.log");
        fs::remove_file(&log).ok();
        let properties = self.folder.join("broker.properties");
        let classes = classes()?;
        let mut process = Process::spawn(KAFKA, "java", &log, |command| {
            command.args(["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
            command.arg(classes).arg("kafka.Kafka").arg(properties);
        })?;
        process.wait_until(SERVES_WITHIN, || fs::read_to_string(&log).is_ok_and(|log| log.contains("Kafka Server started")))?;
        self.process = Some(process);
        Ok(())
    }

    /// Creates a topic with Kafka's own tool, for callers without a client. An existing topic stays
    /// unchanged.
    pub fn create_topic(&self, name: &str, partitions: u32) -> Result<(), StackError> {
        let count = partitions.to_string();
        let what = ["--create", "--if-not-exists", "--topic", name, "--partitions", &count];
        self.tool("Kafka's topic tool", "org.apache.kafka.tools.TopicCommand", &what)
    }

    /// Grants a user a right, with the arguments of Kafka's own tool: `["--operation", "Read",
    /// "--topic", "orders"]`.
    pub fn allow(&self, user: &str, what: &[&str]) -> Result<(), StackError> {
        let principal = format!("User:{user}");
        let add = ["--add", "--force", "--allow-principal", &principal];
        self.tool("Kafka's ACL tool", "org.apache.kafka.tools.AclCommand", &[&add[..], what].concat())
    }

    fn tool(&self, name: &'static str, class: &str, arguments: &[&str]) -> Result<(), StackError> {
        let mut command = Command::new("java");
        command.args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]).arg(classes()?);
        command.args([class, "--bootstrap-server"]).arg(self.plaintext()).args(arguments);
        run(name, command)
    }

    /// SIGKILL: nothing is flushed, no client is notified.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// The broker's process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// The folder of the broker's logs, to copy or change while it is down.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub fn plaintext(&self) -> String {
        format!("127.0.0.1:{}", self.ports.plaintext)
    }

    /// TLS without a client certificate.
    pub fn tls(&self) -> String {
        format!("localhost:{}", self.ports.tls)
    }

    /// TLS with [`Kafka::client_certificate`].
    pub fn mutual_tls(&self) -> String {
        format!("localhost:{}", self.ports.mutual_tls)
    }

    pub fn sasl_tls(&self) -> String {
        format!("localhost:{}", self.ports.sasl_tls)
    }

    pub fn sasl_plaintext(&self) -> String {
        format!("127.0.0.1:{}", self.ports.sasl_plaintext)
    }

    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// The file with the authority that signed the broker's certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Certificate and key of a client that the broker accepts.
    pub fn client_certificate(&self) -> (PathBuf, PathBuf) {
        (self.folder.join("client.pem"), self.folder.join("client.key"))
    }
}

/// The class path of the jars that `scripts/tools` downloaded.
fn classes() -> Result<String, StackError> {
    let jars = cache_folder("kafka").join("libs");
    if !jars.join("kafka_2.13-4.1.1.jar").is_file() {
        return Err(StackError::Missing { what: "Apache Kafka 4.1.1", path: jars });
    }
    Ok(format!("{}/*", jars.display()))
}

fn format_storage(options: &KafkaOptions, folder: &ServerFolder) -> Result<(), StackError> {
    let mut command = Command::new("java");
    command.args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]).arg(classes()?);
    command
        .args(["kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAA", "-c"])
        .arg(folder.join("broker.properties"));
    for (user, password) in &options.users {
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            command.arg("--add-scram").arg(format!("{mechanism}=[name={user},password={password}]"));
        }
    }
    run("Kafka's storage tool", command)
}

/// Runs one of Kafka's tools to completion.
fn run(what: &'static str, mut command: Command) -> Result<(), StackError> {
    let output = command.output().map_err(|source| StackError::Spawn { what, source })?;
    if output.status.success() {
        return Ok(());
    }
    let log = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(StackError::Ended { what, status: output.status.to_string(), log })
}
