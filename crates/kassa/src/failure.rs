//! Failures with a code and a page, and the output and exit code of every error.

use std::error::Error;
use std::process::ExitCode;
use std::{fmt, io};

use kassa_engine::refill::Incomplete;
use kassa_kafka::registry::RegistryError;
use kassa_lake::Refused;
use kassa_model::secret::written_out;
use kassa_model::{Cause, Code, Newer};
use kassa_pipeline::SinkError;
use kassa_redshift::ExportError;
use kassa_source::file::FileError;
use kassa_warehouse::WarehouseError;

use crate::say::indented;

/// A failure with a code and a hint.
#[derive(Debug)]
pub struct Failure {
    pub code: Code,
    pub what: Cause,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(code: Code, what: impl Into<Cause>) -> Self {
        Self { code, what: what.into(), hint: None }
    }

    /// An error that says enough by itself.
    pub fn of(code: Code, error: impl Error + Send + Sync + 'static) -> Self {
        Self::new(code, Cause::of(error))
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(f)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.what.source()
    }
}

/// Refuses a URL of the command line with a secret in it, which other users of this machine can see. The error does not repeat it.
pub fn without_secret(flag: &str, url: &str) -> anyhow::Result<()> {
    let Some(found) = written_out(url) else { return Ok(()) };
    let failure = Failure::new(Code::BadParameter, format!("{flag} contains a secret: {found}"));
    Err(failure.hint("command lines are visible to others and end up in logs: leave it out").into())
}

/// How to fix a rebuild that has not ended.
pub const COMPLETE_REBUILD: &str = "if it is not running any more, `kassa rebuild --apply` completes it";

/// The error was already printed; only the exit code is left.
#[derive(Debug, thiserror::Error)]
#[error("exit {0}")]
pub struct Exit(pub u8);

/// Prints the chain once, then the hint and the page, like configuration mistakes. Exit codes: 1
/// failed, 2 usage, 78 configuration.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(Exit(code)) = error.downcast_ref::<Exit>() {
        return ExitCode::from(*code);
    }
    if let Some(mistakes) = error.downcast_ref::<kassa_config::Mistakes>() {
        say!("{mistakes}");
        return ExitCode::from(78);
    }
    let (code, hint) = error.chain().find_map(judged).unwrap_or((Code::Defect, None));
    say!("error[{code}]: {}", indented(&chain(error)));
    if let Some(hint) = hint {
        say!("   = {}", indented(&hint));
    }
    say!("   = see {}", code.page());
    ExitCode::from(match code {
        Code::UnknownFigure | Code::UnknownStream | Code::BadParameter => 2,
        code if code.code().starts_with('C') => 78,
        _ => 1,
    })
}

/// The error and its causes; a repeated cause is printed once.
pub fn chain(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if said.is_empty() {
            said = cause;
        } else if !said.ends_with(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

fn rebuilding() -> (Code, Option<String>) {
    (Code::Rebuilding, Some(COMPLETE_REBUILD.to_owned()))
}

fn newer() -> (Code, Option<String>) {
    (Code::NewerFormat, Some(Newer::FIX.to_owned()))
}

/// The code of a cause, and a hint.
fn judged(cause: &(dyn Error + 'static)) -> Option<(Code, Option<String>)> {
    let whole = || Some("`kassa prove` shows what is intact and what is not".to_owned());
    let of_store = |code| (code, if code == Code::LakeCorrupt { whole() } else { None });
    if let Some(failure) = cause.downcast_ref::<Failure>() {
        return Some((failure.code, failure.hint.clone()));
    }
    if cause.is::<Incomplete>() {
        return Some((Code::LakeCorrupt, Some("`kassa prove` names what is missing".to_owned())));
    }
    if let Some(error) = cause.downcast_ref::<kassa_source::log::LogError>() {
        return Some((error.code(), error.hint().map(str::to_owned)));
    }
    if let Some(error) = cause.downcast_ref::<FileError>() {
        return Some((error.code(), error.hint().map(str::to_owned)));
    }
    if let Some(error) = cause.downcast_ref::<kassa_lake::LogError>() {
        return Some(of_store(match error {
            kassa_lake::LogError::Io(error) if error.kind() == io::ErrorKind::TimedOut => Code::StoreUnreachable,
            kassa_lake::LogError::Io(_) => Code::StorageFailed,
            kassa_lake::LogError::Refused(refused) => return Some((Code::StoreRefused, Some(refused.fix.clone()))),
            kassa_lake::LogError::Corrupt(_) => Code::LakeCorrupt,
            kassa_lake::LogError::Fenced(_) => Code::Fenced,
            kassa_lake::LogError::Encode(_) => Code::Defect,
            kassa_lake::LogError::Newer(_) => return Some(newer()),
        }));
    }
    if let Some(error) = cause.downcast_ref::<SinkError>() {
        return Some(of_store(match error {
            // An error about a URL is a server's, one about a path is a disk's.
            SinkError::Unavailable(why) if why.contains("://") => Code::StoreUnreachable,
            SinkError::Unavailable(_) => Code::StorageFailed,
            SinkError::Fenced(_) | SinkError::Rewound(_) => Code::Fenced,
            SinkError::Invalid(_) => Code::StoreRefused,
            SinkError::Corrupt(_) => Code::LakeCorrupt,
            SinkError::Newer(_) => return Some(newer()),
            SinkError::Rebuilding(_) => return Some(rebuilding()),
        }));
    }
    if let Some(error) = cause.downcast_ref::<WarehouseError>() {
        return Some(match error {
            WarehouseError::Unavailable(_) => (Code::StoreUnreachable, None),
            WarehouseError::Invalid(_) => (Code::StoreRefused, None),
            WarehouseError::Corrupt(_) => of_store(Code::LakeCorrupt),
            WarehouseError::Fenced(_) | WarehouseError::Rewound(_) => (Code::Fenced, None),
            WarehouseError::Newer(_) => newer(),
            WarehouseError::Rebuilding(_) => rebuilding(),
        });
    }
    if let Some(error) = cause.downcast_ref::<ExportError>() {
        return Some(match error {
            ExportError::Refused { fix, .. } => (Code::StoreRefused, Some(fix.clone())),
            ExportError::Unavailable { .. } => (Code::StoreUnreachable, None),
            ExportError::Statement { .. } => (Code::ExportFailed, None),
            ExportError::Fenced(_) => (Code::Fenced, Some("run it again when the other exporters have finished".to_owned())),
            ExportError::Encode(_) => (Code::Defect, None),
            // The cause below has its own code.
            ExportError::Lake(_) => return None,
        });
    }
    if let Some(error) = cause.downcast_ref::<RegistryError>() {
        let code = if error.is_transient() { Code::SourceUnreachable } else { Code::SourceRefused };
        return Some((code, error.hint()));
    }
    let error = cause.downcast_ref::<io::Error>()?;
    Some(match Refused::of(error) {
        Some(refused) => (Code::StoreRefused, Some(refused.fix.clone())),
        None if error.kind() == io::ErrorKind::TimedOut => (Code::StoreUnreachable, None),
        None => (Code::StorageFailed, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_printed_once_and_decides_nothing_about_the_code() {
        let missing = io::Error::new(io::ErrorKind::NotFound, "no such file");
        let damaged = kassa_lake::LogError::corrupt_at("DWH/fact_order/1.parquet", missing);
        let error = anyhow::Error::new(damaged).context("could not read the lake");
        assert_eq!(chain(&error), "could not read the lake: DWH/fact_order/1.parquet: no such file");
        assert!(error.chain().any(|cause| cause.is::<io::Error>()), "{error:?}");
        assert_eq!(error.chain().find_map(judged).map(|(code, _)| code), Some(Code::LakeCorrupt));
    }

    #[test]
    fn an_error_of_the_registry_has_a_page_and_a_hint() {
        let why = Cause::of(io::Error::from(io::ErrorKind::ConnectionRefused));
        let down = RegistryError::Unavailable { url: "http://localhost:8081".to_owned(), why };
        let (code, hint) = judged(&down).expect("a page");
        assert_eq!(code, Code::SourceUnreachable);
        assert!(hint.is_some_and(|hint| hint.contains("check the registry")));
    }
}
