//! A server's process, folder and ports.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::StackError;

/// The folder of the downloaded server in the cache of `scripts/tools`.
pub fn cache_folder(name: &str) -> PathBuf {
    let cache = std::env::var_os("KASSA_CACHE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/kassa");
    cache.unwrap_or_else(home).join(name)
}

/// Free ports of the loopback address. They are free when this returns; another process may take
/// one before it is used.
pub fn free_ports<const N: usize>() -> Result<[u16; N], StackError> {
    let mut listeners = Vec::with_capacity(N);
    for _ in 0..N {
        listeners.push(TcpListener::bind("127.0.0.1:0").map_err(StackError::Port)?);
    }
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr().map_err(StackError::Port)?.port();
    }
    Ok(ports)
}

/// A folder in the system's temporary folder that is removed with its owner. The next process
/// removes the folders of a killed one.
#[derive(Debug)]
pub struct ServerFolder(PathBuf);

impl ServerFolder {
    pub fn create(server: &str) -> Result<Self, StackError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let temp = std::env::temp_dir();
        remove_orphans(&temp);
        let path = temp.join(format!("kassa-stack-{}-{server}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir_all(&path).map_err(|source| StackError::File { doing: "create", path: path.clone(), source })?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, contents: &str) -> Result<PathBuf, StackError> {
        let path = self.join(name);
        fs::write(&path, contents).map_err(|source| StackError::File { doing: "write", path: path.clone(), source })?;
        Ok(path)
    }
}

impl Drop for ServerFolder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Removes folders whose process has ended: statics are not dropped, and a killed process drops
/// nothing.
fn remove_orphans(temp: &Path) {
    let Ok(entries) = fs::read_dir(temp) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix("kassa-stack-")).and_then(|rest| rest.split('-').next());
        if owner.and_then(|pid| pid.parse::<u32>().ok()).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

/// A server's process. It is killed when dropped; the system kills it if this process ends without
/// dropping it.
#[derive(Debug)]
pub(crate) struct Process {
    what: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn spawn(
        what: &'static str,
        program: &str,
        log: &Path,
        prepare: impl FnOnce(&mut Command),
    ) -> Result<Self, StackError> {
        let spawned = |source| StackError::Spawn { what, source };
        let file = File::options().create(true).append(true).open(log).map_err(spawned)?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", program]);
        prepare(&mut command);
        command.stdin(Stdio::null()).stdout(file.try_clone().map_err(spawned)?).stderr(file);
        Ok(Self { what, child: spawn_from_lasting_thread(command).map_err(spawned)?, log: log.to_path_buf() })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the server is ready. `limit` is generous, because machines that run tests are
    /// busy.
    pub(crate) fn wait_until(&mut self, limit: Duration, serves: impl Fn() -> bool) -> Result<(), StackError> {
        let started = Instant::now();
        while !serves() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(StackError::Ended { what: self.what, status: status.to_string(), log: tail(&self.log) });
            }
            if started.elapsed() > limit {
                return Err(StackError::Silent { what: self.what, seconds: limit.as_secs(), log: tail(&self.log) });
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Sends SIGKILL and waits until the process has ended.
    pub(crate) fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last 4 KiB of a log.
fn tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(4096)..]).into_owned()
}

type Request = (Command, mpsc::Sender<io::Result<Child>>);

/// The system sends the death signal when the *thread* that started the child ends, and a test's
/// thread ends with its test.
fn spawn_from_lasting_thread(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<Request>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (send, receive) = mpsc::channel::<Request>();
        thread::spawn(move || {
            for (mut command, answer) in receive {
                answer.send(command.spawn()).ok();
            }
        });
        send
    });
    let (send, receive) = mpsc::channel();
    let gone = || io::Error::other("the thread that starts servers has ended");
    spawner.send((command, send)).map_err(|_| gone())?;
    receive.recv().map_err(|_| gone())?
}
