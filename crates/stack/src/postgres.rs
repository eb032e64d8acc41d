//! PostgreSQL from the system's package, as a child process on a free port with a temporary folder.
//!
//! A cluster is a copy of a template, which `initdb` creates once per machine. PostgreSQL refuses
//! to run as root; for root, it runs as the package's user.

mod program;
mod tls;

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use program::Programs;
pub use tls::Certificates;

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    #[error(
        "PostgreSQL is not installed. Install it with: sudo apt-get install -y postgresql; or set KASSA_POSTGRES_BIN to the folder with its programs"
    )]
    NotInstalled,
    #[error("`{program}` failed: {detail}")]
    Failed { program: String, detail: String },
    #[error("{what}")]
    Io { what: String, source: std::io::Error },
    #[error("could not create certificates")]
    Certificates(#[from] rcgen::Error),
}

pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> PostgresError {
    let what = what.into();
    move |source| PostgresError::Io { what, source }
}

/// Differences from the plain server, which trusts all connections on loopback.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Serve TLS with certificates of its own authority.
    pub tls: bool,
    /// Lines of `postgresql.conf`.
    pub settings: Vec<String>,
    /// Lines of `pg_hba.conf`, before the lines that trust loopback.
    pub access: Vec<String>,
}

/// The longest time for a server to answer or to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// Up to PostgreSQL 14, the connections of a killed server keep its memory for a moment.
const STILL_IN_USE: &str = "pre-existing shared memory block";
/// Another program may take a port between our choice and the server's start, so several are tried.
const TRIES: usize = 5;

/// A server. It is stopped and deleted when dropped.
#[derive(Debug)]
pub struct Postgres {
    programs: Programs,
    dir: TempDir,
    port: u16,
    child: Option<Child>,
    certificates: Option<Certificates>,
}

impl Postgres {
    pub fn start() -> Result<Self, PostgresError> {
        Self::start_with(&Options::default())
    }

    pub fn start_with(options: &Options) -> Result<Self, PostgresError> {
        let mut server = Self::empty()?;
        server.programs.copy_template(&server.data())?;
        if options.tls {
            server.certificates = Some(tls::make(&server.programs, server.dir.path())?);
        }
        server.configure(options)?;
        server.run()?;
        Ok(server)
    }

    fn empty() -> Result<Self, PostgresError> {
        let programs = Programs::find()?;
        let dir = tempfile::Builder::new().prefix("kassa-postgres-").tempdir().map_err(io("no temporary folder"))?;
        programs.own(dir.path())?;
        Ok(Self { programs, dir, port: 0, child: None, certificates: None })
    }

    /// A standby that streams from this server.
    pub fn standby(&self) -> Result<Self, PostgresError> {
        let mut standby = Self::empty()?;
        let data = standby.data().to_string_lossy().into_owned();
        let port = self.port.to_string();
        let from = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-D", &data];
        self.programs.run("pg_basebackup", &[&from[..], &["-R", "-X", "stream", "--checkpoint=fast", "--no-sync"]].concat())?;
        standby.run()?;
        Ok(standby)
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn configure(&self, options: &Options) -> Result<(), PostgresError> {
        let mut settings = String::from(
            "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nshared_buffers = 64MB\nmax_connections = 50\n\
             wal_level = replica\nhot_standby = on\nfsync = off\njit = off\nmax_locks_per_transaction = 256\nlogging_collector = off\n\
             password_encryption = 'scram-sha-256'\n",
        );
        if options.tls {
            let dir = self.dir.path().display();
            settings += &format!(
                "ssl = on\nssl_cert_file = '{dir}/server.crt'\nssl_key_file = '{dir}/server.key'\nssl_ca_file = '{dir}/ca.crt'\n"
            );
        }
        for line in &options.settings {
            settings += &format!("{line}\n");
        }
        append(&self.data().join("postgresql.conf"), &settings)?;
        let mut access = options.access.join("\n");
        access += "\nhost all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n";
        fs::write(self.data().join("pg_hba.conf"), access).map_err(io("pg_hba.conf"))
    }

    /// Starts the server on a free port, and waits until it answers.
    fn run(&mut self) -> Result<(), PostgresError> {
        let mut last = None;
        for _ in 0..TRIES {
            self.port = free_port()?;
            match self.resume() {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or(PostgresError::NotInstalled))
    }

    /// Starts the server again, on the same port.
    pub fn resume(&mut self) -> Result<(), PostgresError> {
        self.spawn()?;
        let (since, port) = (Instant::now(), self.port.to_string());
        while self.programs.run("pg_isready", &["-q", "-h", "127.0.0.1", "-p", &port, "-d", "postgres"]).is_err() {
            let ended = self.child.as_mut().is_some_and(|child| child.try_wait().is_ok_and(|status| status.is_some()));
            if ended && since.elapsed() <= PATIENCE && self.log().contains(STILL_IN_USE) {
                self.spawn()?;
            } else if ended || since.elapsed() > PATIENCE {
                self.kill()?;
                return Err(PostgresError::Failed { program: "postgres".to_owned(), detail: self.log() });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn spawn(&mut self) -> Result<(), PostgresError> {
        let log = fs::File::create(self.dir.path().join("log")).map_err(io("the server's log"))?;
        let arguments = ["-D".into(), self.data().into_os_string(), "-p".into(), self.port.to_string().into()];
        self.child = Some(self.programs.spawn("postgres", &arguments, log)?);
        Ok(())
    }

    /// The server's log since its last start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's process, the parent of its connections' processes.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The certificates, if the server uses TLS.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    pub fn url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs statements as the superuser; returns the output of `psql`.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String, PostgresError> {
        self.sql_as("postgres", database, sql)
    }

    /// The same as another user.
    pub fn sql_as(&self, user: &str, database: &str, sql: &str) -> Result<String, PostgresError> {
        let port = self.port.to_string();
        let to = ["-h", "127.0.0.1", "-p", &port, "-U", user, "-d", database];
        self.programs.run("psql", &[&to[..], &["-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql]].concat())
    }

    /// Runs a script of any length, such as a dump.
    pub fn load(&self, database: &str, script: &str) -> Result<(), PostgresError> {
        // The programs may run as another user, who can read files in this folder.
        let file = self.dir.path().join("script.sql");
        fs::write(&file, script).map_err(io("the script"))?;
        self.programs.own(&file)?;
        let (port, path) = (self.port.to_string(), file.to_string_lossy().into_owned());
        let to = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-d", database];
        self.programs.run("psql", &[&to[..], &["-Xq", "-v", "ON_ERROR_STOP=1", "-f", &path]].concat()).map(drop)
    }

    /// Ends the server like a power cut: no client is notified, and unwritten data is lost.
    pub fn kill(&mut self) -> Result<(), PostgresError> {
        self.end(Signal::KILL)
    }

    /// Ends the server like an administrator: connections are cut, all data is written.
    pub fn stop(&mut self) -> Result<(), PostgresError> {
        self.end(Signal::INT)
    }

    fn end(&mut self, signal: Signal) -> Result<(), PostgresError> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            // A server that has ended by itself needs no signal.
            kill_process(pid, signal)
                .or_else(|error| if error == rustix::io::Errno::SRCH { Ok(()) } else { Err(error) })
                .map_err(|error| PostgresError::Io { what: "could not signal the server".to_owned(), source: error.into() })?;
        }
        let since = Instant::now();
        while child.try_wait().map_err(io("could not wait for the server"))?.is_none() {
            if since.elapsed() > PATIENCE {
                child.kill().map_err(io("could not kill the server"))?;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Makes a standby the primary.
    pub fn promote(&self) -> Result<(), PostgresError> {
        self.sql("postgres", "SELECT pg_promote(true, 30)").map(drop)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.end(Signal::INT).is_err()
            && let Some(child) = &mut self.child
        {
            child.kill().ok();
        }
    }
}

fn append(path: &Path, text: &str) -> Result<(), PostgresError> {
    let mut file = fs::OpenOptions::new().append(true).open(path).map_err(io(path.display().to_string()))?;
    file.write_all(text.as_bytes()).map_err(io(path.display().to_string()))
}

fn free_port() -> Result<u16, PostgresError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(io("no free port"))?;
    Ok(listener.local_addr().map_err(io("no free port"))?.port())
}

#[cfg(test)]
mod tests;
