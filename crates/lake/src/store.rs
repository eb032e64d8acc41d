//! The storage of the lake's files: whole objects, put once. The local folder makes each put
//! durable before it returns.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use url::Url;

pub use self::measured::Measured;
pub use self::object::Object;
pub(crate) use self::object::Whole;
pub use self::refused::Refused;

mod measured;
mod object;
mod refused;

/// Writes an object's bytes in order.
pub type WriteObject<'w> = dyn FnMut(&mut (dyn Write + Send)) -> io::Result<()> + 'w;

/// Whole objects under slash-separated paths.
pub trait Store: fmt::Debug + Send + Sync {
    /// Writes an object with a unique name. Durable when it returns.
    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()>;

    /// The same for an object that is too large for memory: `write` writes its bytes. Returns their
    /// number.
    fn put_with(&self, path: &str, write: &mut WriteObject<'_>) -> io::Result<u64>;

    /// Writes an object if its name is free. `false`: it exists and is unchanged. Durable when it
    /// returns.
    fn put_new(&self, path: &str, bytes: &[u8]) -> io::Result<bool>;

    fn get(&self, path: &str) -> io::Result<Vec<u8>>;

    /// The names directly under a folder, sorted; empty if the folder does not exist.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;

    /// The same with the time of writing (µs UTC; 0 if unknown, as for a folder in a bucket).
    fn list_dated(&self, folder: &str) -> io::Result<Vec<(String, i64)>> {
        let modified = |name: &str| self.about(&format!("{folder}/{name}")).map_or(0, |held| held.modified);
        let names = self.list(folder)?.into_iter();
        Ok(names.map(|name| (modified(&name), name)).map(|(modified, name)| (name, modified)).collect())
    }

    fn delete(&self, path: &str) -> io::Result<()>;

    /// Makes durable what another library (the Delta library) wrote under a folder.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;

    /// Several objects, in the order of the paths.
    fn get_all(&self, paths: &[String]) -> io::Result<Vec<Vec<u8>>> {
        paths.iter().map(|path| self.get(path)).collect()
    }

    /// The size of an object and the time of writing.
    fn about(&self, path: &str) -> io::Result<About>;

    /// Opens an object for reading in parts.
    fn open(&self, path: &str) -> io::Result<Object>;

    /// The same objects, for libraries that read and write themselves.
    fn shared(&self) -> io::Result<Shared>;

    /// A file for locks between processes of this machine, if the store has one.
    fn lock_file(&self, name: &str) -> Option<PathBuf>;

    /// Whether processes of other machines may use the store.
    fn is_shared(&self) -> bool {
        self.lock_file("").is_none()
    }

    /// A local folder for what does not fit into memory. It need not exist.
    fn scratch(&self) -> PathBuf;
}

/// A store's metadata of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    pub bytes: u64,
    /// µs UTC, by the store's own clock.
    pub modified: i64,
}

/// A store's objects for other libraries.
#[derive(Debug, Clone)]
pub struct Shared {
    pub objects: Arc<dyn ObjectStore>,
    /// The folder of all paths; ends with a slash.
    pub url: Url,
    /// The part of the URL's path without the bucket: the prefix of the objects' names.
    pub prefix: String,
}

impl Shared {
    /// The URL of an object.
    pub fn url_of(&self, path: &str) -> io::Result<Url> {
        self.url.join(path).map_err(io::Error::other)
    }
}

/// The buffer size when a large object is written.
const BUFFER: usize = 256 * 1024;

/// A local folder.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    unique: AtomicU64,
}

impl Folder {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), unique: AtomicU64::new(0) }
    }

    fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_data()
    }

    /// Creates missing folders and makes each durable in its parent.
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.create_folder(parent)?;
        }
        match fs::create_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
            Ok(()) => folder.parent().map_or(Ok(()), sync),
        }
    }

    fn prepare<'p>(&self, path: &'p Path) -> io::Result<&'p Path> {
        let folder = path.parent().ok_or_else(|| io::Error::other("a path without a folder"))?;
        self.create_folder(folder)?;
        Ok(folder)
    }
}

/// Names the file in an error of the system.
fn at(path: &Path) -> impl FnOnce(io::Error) -> io::Error + use<'_> {
    move |error| io::Error::new(error.kind(), At { path: path.to_owned(), error })
}

#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", .path.display())]
struct At {
    path: PathBuf,
    #[source]
    error: io::Error,
}

fn sync(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() { File::open(".")?.sync_all() } else { File::open(folder)?.sync_all() }
}

impl Store for Folder {
    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.root.join(path);
        self.prepare(&path).and_then(|folder| Self::write(&path, bytes).and_then(|()| sync(folder))).map_err(at(&path))
    }

    fn put_with(&self, path: &str, write: &mut WriteObject<'_>) -> io::Result<u64> {
        let path = self.root.join(path);
        let folder = self.prepare(&path)?;
        let mut file = BufWriter::with_capacity(BUFFER, File::create(&path)?);
        write(&mut file)?;
        let file = file.into_inner()?;
        file.sync_data()?;
        sync(folder)?;
        Ok(file.metadata()?.len())
    }

    fn put_new(&self, path: &str, bytes: &[u8]) -> io::Result<bool> {
        let path = self.root.join(path);
        let folder = self.prepare(&path).map_err(at(&path))?;
        let nth = self.unique.fetch_add(1, Ordering::Relaxed);
        let draft = folder.join(format!(".draft-{}-{nth}", std::process::id()));
        if let Err(error) = Self::write(&draft, bytes) {
            // A full disk is not to be filled with drafts.
            fs::remove_file(&draft).ok();
            return Err(at(&path)(error));
        }
        // A link appears with its complete contents or not at all, and never replaces another.
        let linked = fs::hard_link(&draft, &path);
        fs::remove_file(&draft).map_err(at(&draft))?;
        match linked {
            Ok(()) => sync(folder).map(|()| true).map_err(at(folder)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(at(&path)(error)),
        }
    }

    fn get(&self, path: &str) -> io::Result<Vec<u8>> {
        let path = self.root.join(path);
        fs::read(&path).map_err(at(&path))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let folder = self.root.join(folder);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(at(&folder))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn delete(&self, path: &str) -> io::Result<()> {
        let path = self.root.join(path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(at(&path)),
        }
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        let folder = self.root.join(folder);
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                File::open(entry.path())?.sync_all()?;
            }
        }
        sync(&folder)
    }

    fn about(&self, path: &str) -> io::Result<About> {
        let held = fs::metadata(self.root.join(path))?;
        // A file that was written before 1970, by a wrong clock, is as old as can be.
        let modified = held.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(About { bytes: held.len(), modified: i64::try_from(modified.as_micros()).unwrap_or(i64::MAX) })
    }

    fn open(&self, path: &str) -> io::Result<Object> {
        let path = self.root.join(path);
        Object::of_file(File::open(&path).map_err(at(&path))?)
    }

    fn shared(&self) -> io::Result<Shared> {
        let root = std::path::absolute(&self.root)?;
        let url = Url::from_directory_path(&root).map_err(|()| io::Error::other(format!("{} has no URL", root.display())))?;
        let prefix = url.path().trim_matches('/').to_owned();
        Ok(Shared { objects: Arc::new(LocalFileSystem::new()), url, prefix })
    }

    fn lock_file(&self, name: &str) -> Option<PathBuf> {
        Some(self.root.join(name))
    }

    fn scratch(&self) -> PathBuf {
        self.root.join(".spill")
    }
}
