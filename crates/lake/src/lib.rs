//! The lake: raw archive and star schema as Delta tables, with the positions inside each commit.

pub mod archive;
mod beyond;
pub mod delta;
pub mod derived;
pub mod encode;
pub mod figures;
pub mod format;
pub mod key;
pub mod lease;
pub mod letters;
pub mod maintain;
pub mod prove;
pub mod read;
pub mod rebuild;
pub mod recover;
pub mod s3;
pub mod star;
pub mod store;
#[cfg(test)]
mod testing;

pub use archive::ArchiveSink;
pub use beyond::{Wanted, beyond};
pub use delta::LogError;
pub use derived::Derived;
pub use s3::{Examined, Keys as S3Keys, S3, S3Options};
pub use star::StarSink;
pub use store::{Folder, Refused, Store};
