//! A store that counts the bytes read from it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{About, Object, Shared, Store, WriteObject};

/// Counts bytes of objects; logs and lists are not counted.
#[derive(Debug)]
pub struct Measured {
    store: Arc<dyn Store>,
    read: Arc<AtomicU64>,
}

impl Measured {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, read: Arc::default() }
    }

    /// Bytes of objects read so far.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

impl Store for Measured {
    fn open(&self, path: &str) -> io::Result<Object> {
        self.store.open(path).map(|object| object.counted(Arc::clone(&self.read)))
    }

    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.store.put(path, bytes)
    }

    fn put_with(&self, path: &str, write: &mut WriteObject<'_>) -> io::Result<u64> {
        self.store.put_with(path, write)
    }

    fn put_new(&self, path: &str, bytes: &[u8]) -> io::Result<bool> {
        self.store.put_new(path, bytes)
    }

    fn get(&self, path: &str) -> io::Result<Vec<u8>> {
        self.store.get(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.store.list(folder)
    }

    fn list_dated(&self, folder: &str) -> io::Result<Vec<(String, i64)>> {
        self.store.list_dated(folder)
    }

    fn delete(&self, path: &str) -> io::Result<()> {
        self.store.delete(path)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.store.sync_folder(folder)
    }

    fn get_all(&self, paths: &[String]) -> io::Result<Vec<Vec<u8>>> {
        self.store.get_all(paths)
    }

    fn about(&self, path: &str) -> io::Result<About> {
        self.store.about(path)
    }

    fn shared(&self) -> io::Result<Shared> {
        self.store.shared()
    }

    fn lock_file(&self, name: &str) -> Option<PathBuf> {
        self.store.lock_file(name)
    }

    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    fn scratch(&self) -> PathBuf {
        self.store.scratch()
    }
}
