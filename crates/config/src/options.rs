//! The inputs of a load: path, working folder, environment and flags.

use std::ffi::OsString;
use std::path::PathBuf;

/// The inputs from the binary; the loader reads nothing from the process itself.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// `-c FILE`. `None`: `kassa.toml` in the working folder if it exists, otherwise only the
    /// defaults.
    pub path: Option<PathBuf>,
    /// Absolute. Relative paths of `path`, of the environment and of flags start here.
    pub working_dir: PathBuf,
    /// All variables; those that do not begin with `KASSA__` are ignored.
    pub env: Vec<(OsString, OsString)>,
    pub overrides: Vec<Override>,
}

/// A flag that sets a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// `server.listen`
    pub key: String,
    pub value: String,
    /// As the user writes it: `--listen`.
    pub flag: String,
}
