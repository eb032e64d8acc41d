//! The lake in a bucket: each object is put whole, each log entry with a conditional PUT.
//!
//! ```text
//!  put_new ──PUT If-None-Match: *──┬─ 200 ─────────────────────────────► ours
//!                                  ├─ 403, no bucket, wrong key ───────► Refused: the operator must act
//!                                  └─ 412, 409, 503, no answer ─► GET ─┬─ our bytes ─► ours: the reply was lost
//!                                        ▲                             ├─ others ────► theirs
//!                                        └──── a growing pause ────────┴─ nothing    (for `patience` at most)
//! ```
//!
//! Requests run on the store's own thread, so any thread can use it, with or without an async
//! runtime.

mod connect;
mod judge;
mod upload;

use std::fmt;
use std::fs;
use std::future::Future;
use std::io::{self, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use kassa_model::{Cause, Secret};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt, PutMode};
use tokio::runtime::Runtime;
use url::Url;

pub use self::connect::{Keys, S3Options};
use self::judge::Location;
use self::upload::Upload;
use crate::store::{About, Object, Refused, Shared, Store, Whole, WriteObject};

/// The size of an object that is put in one request; larger ones go in parts of this size.
const PART: usize = 8 * 1024 * 1024;
/// The bytes fetched from an object's end when it is opened: a Parquet file's footer, or a whole
/// small file.
const TAIL: u64 = 64 * 1024;
/// The size of an object that is read into memory; a larger one is buffered in a file.
const HELD: u64 = 16 * 1024 * 1024;
/// The number of concurrent requests for several objects.
const AT_ONCE: usize = 16;
/// The first and the longest pause between two attempts.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The object for the test at start: whether the server supports a conditional PUT.
const PROBE: &str = "_kassa/conditional-put";
/// The object that [`S3::examine`] puts, and deletes again if it may.
const LOOK: &str = "_kassa/doctor";

/// A prefix of a bucket. Clones share one client.
#[derive(Debug, Clone)]
pub struct S3 {
    inner: Arc<Inner>,
}

/// The result of examining a usable bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Examined {
    /// The server's own clock at the examination, µs UTC, to the second.
    pub server_time: i64,
    /// Whether the keys have the right to delete, which maintenance needs for replaced files. Without it,
    /// the one small object of this examination stays behind.
    pub may_delete: bool,
}

struct Inner {
    client: Arc<AmazonS3>,
    /// `None` only during drop.
    runtime: Option<Runtime>,
    location: Location,
    url: Url,
    scratch: PathBuf,
    patience: Duration,
}

impl fmt::Debug for Inner {
    /// The location only: the client's Debug output would contain the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.location.url(""))
    }
}

/// Growing pauses, until the time limit.
struct Pauses {
    next: Duration,
    until: Instant,
}

impl Pauses {
    /// Waits. `false`: the time limit is reached.
    fn wait(&mut self) -> bool {
        if Instant::now() + self.next > self.until {
            return false;
        }
        std::thread::sleep(self.next);
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        true
    }
}

impl S3 {
    /// Prepares the client. Sends no request yet.
    pub fn open(options: &S3Options) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("s3").enable_all().build()?;
        let client = connect::client(options, runtime.handle())?;
        let location = Location::of(options);
        let url = Url::parse(&format!("{}/", location.url(""))).map_err(io::Error::other)?;
        let (scratch, patience) = (options.scratch.clone(), options.patience);
        let inner = Inner { client: Arc::new(client), runtime: Some(runtime), location, url, scratch, patience };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Checks what a writer needs, so that an error appears before anything is read: the bucket,
    /// the keys, the rights to list, put and get, and that conditional PUTs work.
    pub fn may_write(&self) -> io::Result<()> {
        self.list("_kassa")?;
        let mine = uuid::Uuid::new_v4().to_string();
        if self.put_new(PROBE, mine.as_bytes())? && self.put_new(PROBE, b"another's")? {
            return Err(self.overwrites());
        }
        Ok(())
    }

    /// The same for a diagnosis: every right is tried on an object of its own, which is deleted
    /// again.
    pub fn examine(&self) -> io::Result<Examined> {
        self.list("_kassa")?;
        self.put(LOOK, b"kassa doctor tests the rights of its keys")?;
        if self.put_new(LOOK, b"another's")? {
            return Err(self.overwrites());
        }
        self.get(LOOK)?;
        let server_time = self.about(LOOK)?.modified;
        let may_delete = match self.delete(LOOK) {
            Ok(()) => true,
            Err(error) if Refused::of(&error).is_some() => false,
            Err(error) => return Err(error),
        };
        Ok(Examined { server_time, may_delete })
    }

    fn overwrites(&self) -> io::Error {
        Refused::error(
            format!("{} overwrites an object in spite of `If-None-Match: *`", self.inner.location.server()),
            "two writers would overwrite each other's commits: use a server that supports conditional PUT",
        )
    }

    /// The keys that sign requests now: the given ones, or those of the environment, the container
    /// or the instance.
    pub fn keys(&self) -> io::Result<Keys> {
        let provider = Arc::clone(self.inner.client.credentials());
        let given = self.wait(async move { provider.get_credential().await })?.map_err(io::Error::other)?;
        let secret = |value: &str| Secret::new("the keys of the bucket", value);
        Ok(Keys {
            access_key_id: secret(&given.key_id),
            secret_access_key: secret(&given.secret_key),
            session_token: given.token.as_deref().map(secret),
        })
    }

    fn key(&self, path: &str) -> Path {
        Path::from(self.inner.location.key(path))
    }

    fn pauses(&self) -> Pauses {
        Pauses { next: PAUSE, until: Instant::now() + self.inner.patience }
    }

    /// Runs requests on this store's own thread and waits for them.
    fn wait<T: Send + 'static>(&self, requests: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
        let (sender, receiver) = sync_channel(1);
        let runtime = self.inner.runtime.as_ref().ok_or_else(|| io::Error::other("the store is closed"))?;
        runtime.spawn(async move {
            // The caller may have stopped waiting.
            sender.send(requests.await).unwrap_or_default();
        });
        receiver.recv().map_err(|_| io::Error::other("the store's thread has ended"))
    }

    /// The same for requests about one object.
    fn ask<T: Send + 'static>(
        &self,
        (verb, path): (&'static str, &str),
        requests: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        self.wait(requests)?.map_err(|error| self.inner.location.judge(&error, verb, path))
    }

    fn put_if_absent(&self, path: &str, bytes: Bytes) -> io::Result<()> {
        let (client, key) = (Arc::clone(&self.inner.client), self.key(path));
        self.ask(("PUT", path), async move { client.put_opts(&key, bytes.into(), PutMode::Create.into()).await })?;
        Ok(())
    }

    /// Repeats a read until its body is complete.
    fn patiently<T>(&self, read: impl Fn() -> io::Result<T>) -> io::Result<T> {
        let mut pauses = self.pauses();
        loop {
            match read() {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && pauses.wait() => {}
                result => return result,
            }
        }
    }

    fn fetch(&self, path: &str, range: Option<GetRange>) -> io::Result<(u64, Bytes)> {
        let (client, key) = (Arc::clone(&self.inner.client), self.key(path));
        self.patiently(|| {
            let (client, key, range) = (Arc::clone(&client), key.clone(), range.clone());
            self.wait(async move { whole(client.get_opts(&key, GetOptions { range, ..GetOptions::default() }).await).await })?
                .map_err(|error| self.inner.location.unread(error, path))
        })
    }
}

/// Why a body was not read: the request failed, or its answer was incomplete.
enum Unread {
    Failed(object_store::Error),
    BrokeOff(Cause),
}

/// The object's size, and all requested bytes.
async fn whole(answer: object_store::Result<GetResult>) -> Result<(u64, Bytes), Unread> {
    let answer = answer.map_err(Unread::Failed)?;
    let (size, wanted) = (answer.meta.size, answer.range.end - answer.range.start);
    let bytes = answer.bytes().await.map_err(|error| Unread::BrokeOff(Cause::of(error)))?;
    if u64::try_from(bytes.len()) == Ok(wanted) {
        Ok((size, bytes))
    } else {
        Err(Unread::BrokeOff(format!("{} of {wanted} bytes arrived", bytes.len()).into()))
    }
}

/// Copies an object into a temporary file that is deleted when closed.
async fn spool(client: Arc<AmazonS3>, key: Path, scratch: PathBuf) -> Result<fs::File, Unread> {
    let failed = |error: io::Error| Unread::BrokeOff(Cause::at(scratch.display(), error));
    fs::create_dir_all(&scratch).map_err(failed)?;
    let mut file = tempfile::tempfile_in(&scratch).map_err(failed)?;
    let answer = client.get(&key).await.map_err(Unread::Failed)?;
    let (wanted, mut came) = (answer.meta.size, 0);
    let mut parts = answer.into_stream();
    while let Some(part) = parts.try_next().await.map_err(|error| Unread::BrokeOff(Cause::of(error)))? {
        file.write_all(&part).map_err(failed)?;
        came += u64::try_from(part.len()).unwrap_or(u64::MAX);
    }
    file.rewind().map_err(failed)?;
    if came == wanted { Ok(file) } else { Err(Unread::BrokeOff(format!("{came} of {wanted} bytes arrived").into())) }
}

impl Store for S3 {
    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.put_with(path, &mut |sink| sink.write_all(bytes)).map(|_| ())
    }

    fn put_with(&self, path: &str, write: &mut WriteObject<'_>) -> io::Result<u64> {
        let mut upload = Upload::begin(self, path);
        let written = write(&mut upload);
        match written.and_then(|()| upload.finish()) {
            Ok(bytes) => Ok(bytes),
            Err(error) => {
                upload.abort();
                Err(error)
            }
        }
    }

    fn put_new(&self, path: &str, bytes: &[u8]) -> io::Result<bool> {
        let mut pauses = self.pauses();
        loop {
            let Err(failure) = self.put_if_absent(path, Bytes::copy_from_slice(bytes)) else { return Ok(true) };
            if Refused::of(&failure).is_some() {
                return Err(failure);
            }
            match self.get(path) {
                Ok(held) => return Ok(held == bytes),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Err(_) => tracing::debug!(path, %failure, "the object was not stored"),
            }
            if !pauses.wait() {
                return Err(failure);
            }
        }
    }

    fn get(&self, path: &str) -> io::Result<Vec<u8>> {
        self.fetch(path, None).map(|(_, bytes)| bytes.into())
    }

    fn get_all(&self, paths: &[String]) -> io::Result<Vec<Vec<u8>>> {
        let (client, keys) = (Arc::clone(&self.inner.client), paths.iter().map(|path| self.key(path)).collect::<Vec<_>>());
        let asked = async move {
            let each = keys.into_iter().map(|key| {
                let client = Arc::clone(&client);
                async move { whole(client.get(&key).await).await.ok().map(|(_, bytes)| bytes) }
            });
            futures::stream::iter(each).buffered(AT_ONCE).collect::<Vec<_>>().await
        };
        // Missing or incomplete objects are requested again one by one, which distinguishes the two
        // cases.
        let came = self.wait(asked)?.into_iter().zip(paths);
        came.map(|(bytes, path)| bytes.map_or_else(|| self.get(path), |bytes| Ok(bytes.into()))).collect()
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        Ok(self.list_dated(folder)?.into_iter().map(|(name, _)| name).collect())
    }

    fn list_dated(&self, folder: &str) -> io::Result<Vec<(String, i64)>> {
        let (client, key) = (Arc::clone(&self.inner.client), self.key(folder));
        let listed = self.ask(("LIST", folder), async move { client.list_with_delimiter(Some(&key)).await })?;
        let objects = listed.objects.iter().map(|object| (&object.location, object.last_modified.timestamp_micros()));
        let found = objects.chain(listed.common_prefixes.iter().map(|folder| (folder, 0)));
        let mut names: Vec<(String, i64)> =
            found.filter_map(|(path, modified)| Some((path.filename()?.to_owned(), modified))).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn delete(&self, path: &str) -> io::Result<()> {
        let (client, key) = (Arc::clone(&self.inner.client), self.key(path));
        match self.ask(("DELETE", path), async move { client.delete(&key).await }) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// A server answers once the bytes are durable.
    fn sync_folder(&self, _folder: &str) -> io::Result<()> {
        Ok(())
    }

    fn about(&self, path: &str) -> io::Result<About> {
        let (client, key) = (Arc::clone(&self.inner.client), self.key(path));
        let held = self.ask(("HEAD", path), async move { client.head(&key).await })?;
        Ok(About { bytes: held.size, modified: held.last_modified.timestamp_micros() })
    }

    fn open(&self, path: &str) -> io::Result<Object> {
        let (bytes, tail) = match self.fetch(path, Some(GetRange::Suffix(TAIL))) {
            // An empty object has no last bytes, and some servers do not support ranges.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => (self.about(path)?.bytes, Bytes::new()),
            fetched => fetched?,
        };
        let (store, path) = (self.clone(), path.to_owned());
        let fetch = move || {
            if bytes <= HELD {
                return store.fetch(&path, None).map(|(_, bytes)| Whole::Bytes(bytes));
            }
            store.patiently(|| {
                let copied = spool(Arc::clone(&store.inner.client), store.key(&path), store.inner.scratch.clone());
                store.wait(copied)?.map(Whole::File).map_err(|error| store.inner.location.unread(error, &path))
            })
        };
        Ok(Object::elsewhere(bytes, tail, Box::new(fetch)))
    }

    fn shared(&self) -> io::Result<Shared> {
        let objects = Arc::clone(&self.inner.client) as Arc<dyn ObjectStore>;
        Ok(Shared { objects, url: self.inner.url.clone(), prefix: self.inner.location.prefix().to_owned() })
    }

    fn lock_file(&self, _name: &str) -> Option<PathBuf> {
        None
    }

    fn scratch(&self) -> PathBuf {
        self.inner.scratch.clone()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Blocking on its threads is not allowed if the last owner is an async task.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests;
