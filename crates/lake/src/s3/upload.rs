//! The upload of an object: in one request if it is small, otherwise in parts, one of which is in
//! memory at a time.

use std::io::{self, Write};
use std::sync::Arc;

use object_store::{MultipartUpload, ObjectStoreExt};

use super::{PART, S3};
use crate::store::Store;

/// Collects an object's bytes in order.
pub(super) struct Upload<'s> {
    store: &'s S3,
    path: &'s str,
    part: Vec<u8>,
    sent: u64,
    parts: Option<Box<dyn MultipartUpload>>,
}

impl<'s> Upload<'s> {
    pub(super) fn begin(store: &'s S3, path: &'s str) -> Self {
        Self { store, path, part: Vec::new(), sent: 0, parts: None }
    }

    fn send_part(&mut self) -> io::Result<()> {
        let mut parts = match self.parts.take() {
            Some(parts) => parts,
            None => {
                let (client, key) = (Arc::clone(&self.store.inner.client), self.store.key(self.path));
                self.store.ask(("PUT", self.path), async move { client.put_multipart(&key).await })?
            }
        };
        let part = std::mem::take(&mut self.part);
        self.sent += u64::try_from(part.len()).unwrap_or(u64::MAX);
        let (parts, sent) = self.store.wait(async move {
            let sent = parts.put_part(part.into()).await;
            (parts, sent)
        })?;
        self.parts = Some(parts);
        sent.map_err(|error| self.store.inner.location.judge(&error, "PUT", self.path))
    }

    /// Completes the object. Returns its size.
    pub(super) fn finish(&mut self) -> io::Result<u64> {
        if self.parts.is_none() {
            let bytes = u64::try_from(self.part.len()).unwrap_or(u64::MAX);
            let (client, key, part) =
                (Arc::clone(&self.store.inner.client), self.store.key(self.path), std::mem::take(&mut self.part));
            self.store.ask(("PUT", self.path), async move { client.put(&key, part.into()).await })?;
            return Ok(bytes);
        }
        if !self.part.is_empty() {
            self.send_part()?;
        }
        let Some(mut parts) = self.parts.take() else { return Ok(self.sent) };
        let (parts, completed) = self.store.wait(async move {
            let completed = parts.complete().await;
            (parts, completed)
        })?;
        if let Err(error) = completed {
            // The answer may have been lost. The name is unique: if an object of this size exists,
            // it is this one.
            if self.store.about(self.path).is_ok_and(|held| held.bytes == self.sent) {
                return Ok(self.sent);
            }
            self.parts = Some(parts);
            return Err(self.store.inner.location.judge(&error, "PUT", self.path));
        }
        Ok(self.sent)
    }

    /// Tells the server to drop the parts, if it answers; otherwise a lifecycle rule of the bucket
    /// deletes them.
    pub(super) fn abort(&mut self) {
        if let Some(mut parts) = self.parts.take() {
            let aborted = self.store.ask(("DELETE", self.path), async move { parts.abort().await });
            if let Err(error) = aborted {
                tracing::warn!(path = self.path, %error, "the parts of an upload remain in the bucket");
            }
        }
    }
}

impl Write for Upload<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PART - self.part.len());
        self.part.extend_from_slice(&bytes[..taken]);
        if self.part.len() == PART {
            self.send_part()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
