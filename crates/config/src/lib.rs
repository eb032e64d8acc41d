//! kassa's configuration, read in one go: defaults < file < environment < flags → [`Config`], or every mistake at once.
//!
//! ```text
//!  keys.rs      the one table of keys: name, kind, default, meaning   (also feeds the schema, the reference and default.toml)
//!  file.rs      TOML text            ─┐
//!  overlay.rs   KASSA__* and flags   ─┴► given.rs   key → value as it was given, and where
//!  kind.rs      one value as given → one typed value, or what is wrong with it (parse.rs: a function a kind)
//!  reader.rs    the value in force of a key, its mistake noted, its origin noted
//!  build.rs     all keys → Config: the checks that see more than one of them
//!  mistake.rs   what, where, why, the nearest valid name, the fix; as text and as JSON
//! ```
//!
//! Nothing here opens the lake, the log or a socket; it reads the configuration file and the files which that names.

mod bucket;
mod build;
mod config;
mod file;
mod given;
mod keys;
mod kind;
mod load;
mod mistake;
mod origin;
mod overlay;
mod parse;
mod reader;
mod redshift;
mod schema;
mod servers;

#[cfg(test)]
mod pages;
#[cfg(test)]
mod reference;

pub use config::{
    Archive, Collector, Config, Encoding, Format, Kafka, Lake, LakePlace, Live, Log, Login, Lookup, Mapping, Proof, Redshift,
    RedshiftPlace, Registry, S3, S3Keys, Sasl, Server, Source, Stream, Tls, Warehouse,
};
pub use kassa_model::Secret;
pub use load::{LoadOptions, Override};
pub use mistake::{Mistake, Mistakes};
pub use origin::{Entry, Origin, Origins, Place};
pub use schema::schema;

/// The file with every key, its default and a comment each.
pub const DEFAULT_TOML: &str = include_str!("../../../config/default.toml");
