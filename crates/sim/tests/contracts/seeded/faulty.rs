//! A store that fails by seed: before or after it has carried out the request, once or from then
//! on.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kassa_lake::store::{About, Object, Shared, WriteObject};
use kassa_lake::{Folder, Store};
use kassa_sim::Rng;

/// How often each fault has fired, by name.
pub(crate) type Fired = BTreeMap<&'static str, u64>;

/// The store as one process sees it. After a crash it always fails, because the process's memory
/// must not be used again.
#[derive(Debug)]
pub(crate) struct Faulty {
    folder: Arc<Folder>,
    /// Whether other processes use the store too, as with a bucket.
    is_shared: bool,
    seed: u64,
    /// Faults per thousand requests.
    rate: usize,
    plan: Mutex<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    /// The number of requests for each table. The requests of one table are ordered, with any
    /// number of threads.
    requests: BTreeMap<String, u64>,
    has_crashed: bool,
    fired: Fired,
}

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    Refused,
    ReplyLost,
    CrashedBefore,
    CrashedAfter,
}

impl Fate {
    /// The name of a fault, for a write and for a read.
    fn name(self, is_change: bool) -> &'static str {
        match (self, is_change) {
            (Fate::Done, _) => "none",
            (Fate::Refused, true) => "write refused",
            (Fate::Refused | Fate::ReplyLost, false) => "read failed",
            (Fate::ReplyLost, true) => "reply lost after a write",
            (Fate::CrashedBefore, true) => "crash before a write",
            (Fate::CrashedAfter, true) => "crash after a write",
            (Fate::CrashedBefore | Fate::CrashedAfter, false) => "crash at a read",
        }
    }
}

impl Faulty {
    pub(crate) fn new(folder: &Arc<Folder>, is_shared: bool, seed: u64, rate: usize) -> Self {
        Self { folder: Arc::clone(folder), is_shared, seed, rate, plan: Mutex::default() }
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store without its faults.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(crate) fn has_crashed(&self) -> bool {
        self.plan().has_crashed
    }

    pub(crate) fn fired(&self) -> Fired {
        self.plan().fired.clone()
    }

    fn drawn(&self, path: &str, is_change: bool) -> Fate {
        let mut plan = self.plan();
        if plan.has_crashed {
            return Fate::CrashedBefore;
        }
        let table = path.split('/').take(2).collect::<Vec<_>>().join("/");
        let named = table.bytes().fold(self.seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
        let nth = plan.requests.entry(table).or_default();
        *nth += 1;
        let mut rng = Rng(named ^ (*nth << 40));
        if rng.below(1000) >= self.rate {
            return Fate::Done;
        }
        let fate = [Fate::Refused, Fate::ReplyLost, Fate::ReplyLost, Fate::CrashedBefore, Fate::CrashedAfter][rng.below(5)];
        *plan.fired.entry(fate.name(is_change)).or_default() += 1;
        plan.has_crashed = matches!(fate, Fate::CrashedBefore | Fate::CrashedAfter);
        fate
    }

    fn change<T>(&self, path: &str, work: impl FnOnce(&Folder) -> io::Result<T>) -> io::Result<T> {
        self.asked(path, true, work)
    }

    fn look<T>(&self, path: &str, work: impl FnOnce(&Folder) -> io::Result<T>) -> io::Result<T> {
        self.asked(path, false, work)
    }

    fn asked<T>(&self, path: &str, is_change: bool, work: impl FnOnce(&Folder) -> io::Result<T>) -> io::Result<T> {
        let failed = |what: &str| Err(io::Error::new(io::ErrorKind::TimedOut, what.to_owned()));
        match self.drawn(path, is_change) {
            Fate::Done => work(&self.folder),
            Fate::Refused | Fate::CrashedBefore => failed("no answer"),
            Fate::ReplyLost | Fate::CrashedAfter => work(&self.folder).and_then(|_| failed("the answer was lost")),
        }
    }
}

impl Store for Faulty {
    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.change(path, |folder| folder.put(path, bytes))
    }

    fn put_with(&self, path: &str, write: &mut WriteObject<'_>) -> io::Result<u64> {
        self.change(path, |folder| folder.put_with(path, write))
    }

    fn put_new(&self, path: &str, bytes: &[u8]) -> io::Result<bool> {
        self.change(path, |folder| folder.put_new(path, bytes))
    }

    fn get(&self, path: &str) -> io::Result<Vec<u8>> {
        self.look(path, |folder| folder.get(path))
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.look(path, |folder| folder.list(path))
    }

    fn delete(&self, path: &str) -> io::Result<()> {
        self.change(path, |folder| folder.delete(path))
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        self.change(path, |folder| folder.sync_folder(path))
    }

    fn about(&self, path: &str) -> io::Result<About> {
        self.look(path, |folder| folder.about(path))
    }

    fn open(&self, path: &str) -> io::Result<Object> {
        self.look(path, |folder| folder.open(path))
    }

    fn shared(&self) -> io::Result<Shared> {
        self.look("", Folder::shared)
    }

    fn lock_file(&self, name: &str) -> Option<PathBuf> {
        if self.is_shared { None } else { self.folder.lock_file(name) }
    }

    fn scratch(&self) -> PathBuf {
        self.folder.scratch()
    }
}
