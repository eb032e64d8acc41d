//! kassa's configuration: defaults < file < environment < flags → [`Config`], or all mistakes at
//! once.
//!
//! ```text
//!  keys.rs      the one table of keys: name, kind, default, meaning   (also the source of schema, reference and default.toml)
//!  file.rs      TOML text            ─┐
//!  overlay.rs   KASSA__* and flags   ─┴► given.rs   key → raw value and its origin
//!  kind.rs      one raw value → one typed value (value.rs), or its mistake (parse.rs: one function per kind)
//!  reader.rs    a key's effective value; collects mistakes and origins
//!  build.rs     all keys → Config: the checks across keys
//!  mistake.rs   what, where, why, the nearest valid name, the fix; as text and as JSON
//! ```
//!
//! This crate reads only the configuration file and the files that it names. It opens no lake, log
//! or socket.

mod bucket;
mod build;
mod config;
mod file;
mod given;
mod keys;
mod kind;
mod load;
mod mistake;
mod options;
mod origin;
mod overlay;
mod parse;
mod properties;
mod reader;
mod redshift;
mod schema;
mod servers;
mod text_file;
mod value;

#[cfg(test)]
mod pages;
#[cfg(test)]
mod reference;

pub use config::{
    Archive, Collector, Config, Encoding, Kafka, Lake, LakePlace, Limits, Live, Log, Login, Lookup, Mapping, Proof, Redshift,
    RedshiftPlace, Registry, S3, S3Keys, Sasl, Server, Source, Stream, Tls, Warehouse,
};
pub use kassa_model::{Format, Secret};
pub use mistake::{Mistake, Mistakes};
pub use options::{LoadOptions, Override};
pub use origin::{Entry, Origin, Origins, Place};
pub use schema::schema;
pub use text_file::read_bounded;

/// The file with every key, its default and a comment.
pub const DEFAULT_TOML: &str = include_str!("../../../config/default.toml");
