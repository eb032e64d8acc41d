//! An S3 server on this machine: versitygw over a folder. Its conditional PUT is safe in a race.
//!
//! `scripts/tools test` builds the program into a cache. A bucket is a folder of the server.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The keys that the server accepts.
pub const ACCESS_KEY_ID: &str = "kassa-test";
pub const SECRET_ACCESS_KEY: &str = "kassa-test-secret";

/// The longest time until the server listens.
const READY: Duration = Duration::from_secs(20);
/// The number of ports to try: another process may take one between its choice and its use.
const PORTS: usize = 5;

/// Why the server is not running.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    #[error("there is no S3 server at {}: run `scripts/tools test`, which builds it", .0.display())]
    NotBuilt(PathBuf),
    #[error("the S3 server did not listen within {} s; it said:\n{said}", READY.as_secs())]
    Silent { said: String },
    #[error("could not start the S3 server")]
    Io(#[from] io::Error),
}

/// A running server, killed when dropped.
#[derive(Debug)]
pub struct S3Server {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
    /// Its folder, if it belongs to this server.
    _own: Option<TempDir>,
}

/// The folder of downloaded and built servers: `KASSA_CACHE`, or else `~/.cache/kassa`.
fn cache() -> PathBuf {
    let home = || std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from).join(".cache/kassa");
    std::env::var_os("KASSA_CACHE").map_or_else(home, PathBuf::from)
}

impl S3Server {
    /// Starts on a free port with a temporary folder.
    pub fn start() -> Result<Self, S3Error> {
        let own = TempDir::new()?;
        let mut server = Self::start_in(own.path(), None)?;
        server._own = Some(own);
        Ok(server)
    }

    /// Starts with a permanent folder, on this port or a free one.
    pub fn start_in(folder: &Path, port: Option<u16>) -> Result<Self, S3Error> {
        let program = cache().join("versitygw/versitygw");
        if !program.is_file() {
            return Err(S3Error::NotBuilt(program));
        }
        fs::create_dir_all(folder.join("buckets"))?;
        let mut last = String::new();
        for _ in 0..PORTS {
            let address = match port {
                Some(port) => SocketAddr::from(([127, 0, 0, 1], port)),
                None => TcpListener::bind(("127.0.0.1", 0))?.local_addr()?,
            };
            let log = folder.join("server.log");
            let child = spawn(&program, folder, address)?;
            let mut server = Self { child, address, folder: folder.to_owned(), _own: None };
            if server.listens()? {
                return Ok(server);
            }
            last = fs::read_to_string(log).unwrap_or_default();
        }
        Err(S3Error::Silent { said: last })
    }

    fn listens(&mut self) -> io::Result<bool> {
        let until = Instant::now() + READY;
        while Instant::now() < until && self.child.try_wait()?.is_none() {
            if TcpStream::connect(self.address).is_ok() {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(false)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The folder of a bucket's objects on this machine.
    pub fn folder_of(&self, bucket: &str) -> PathBuf {
        self.folder.join("buckets").join(bucket)
    }

    pub fn create_bucket(&self, bucket: &str) -> io::Result<()> {
        fs::create_dir_all(self.folder_of(bucket))
    }

    /// Kills the server, like a power cut.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }

    /// Starts it again on the same port and folder.
    pub fn restart(&mut self) -> Result<(), S3Error> {
        self.kill()?;
        self.child = spawn(&cache().join("versitygw/versitygw"), &self.folder, self.address)?;
        if self.listens()? {
            return Ok(());
        }
        Err(S3Error::Silent { said: fs::read_to_string(self.folder.join("server.log")).unwrap_or_default() })
    }
}

fn spawn(program: &Path, folder: &Path, address: SocketAddr) -> io::Result<Child> {
    let log = fs::File::create(folder.join("server.log"))?;
    let mut command = Command::new(program);
    command.env("ROOT_ACCESS_KEY_ID", ACCESS_KEY_ID).env("ROOT_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY);
    command.arg("--port").arg(address.to_string()).arg("--quiet").arg("posix").arg(folder.join("buckets"));
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()
}

impl Drop for S3Server {
    fn drop(&mut self) {
        // The process may have ended already; then there is nothing to do.
        self.kill().unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_answers_and_ends_when_dropped() {
        let mut server = S3Server::start().unwrap();
        server.create_bucket("shop-lake").unwrap();
        let asked = ureq::get(format!("{}/shop-lake", server.endpoint())).call();
        assert!(matches!(asked, Err(ureq::Error::StatusCode(403))), "{asked:?}");
        server.restart().unwrap();
        let address = server.address();
        assert!(TcpStream::connect(address).is_ok());
        drop(server);
        assert!(TcpStream::connect(address).is_err());
    }
}
