//! Failures with a code and a page, and the output and exit code of every error.

mod system;

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use kassa_engine::checkpoint::WriteError;
use kassa_engine::refill::Incomplete;
use kassa_kafka::registry::RegistryError;
use kassa_kafka::{ErrorKind, KafkaError};
use kassa_model::secret::written_out;
use kassa_model::{Cause, Code, Newer};
use kassa_pipeline::dedupe::IndexError;
use kassa_pipeline::{SinkError, StageError};
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
    let (code, hint) = judge(error);
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

/// The code of an error and its fix: those of the outermost cause that has any; then those of the system's error below it. What is left
/// is a defect: a broken invariant, or a panic.
pub fn judge(error: &anyhow::Error) -> (Code, Option<String>) {
    let known = error.chain().find_map(judged).or_else(|| system::below(error.as_ref()));
    known.or_else(|| error.chain().find_map(unexplained)).unwrap_or((Code::Defect, None))
}

/// The same of an error of a library that is the system's, if it is.
pub fn of_system(error: &(dyn Error + 'static)) -> Option<(Code, Option<String>)> {
    system::outside(error)
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
    // What could not be read because of the disk or a server is not damaged.
    let corrupt = |why: &Cause| system::outside(why).unwrap_or_else(|| (Code::LakeCorrupt, whole()));
    if let Some(failure) = cause.downcast_ref::<Failure>() {
        return Some((failure.code, failure.hint.clone()));
    }
    if cause.is::<Incomplete>() {
        return Some((Code::LakeCorrupt, Some("`kassa prove` names what is missing".to_owned())));
    }
    if let Some(error) = cause.downcast_ref::<kassa_source::log::LogError>() {
        return Some((error.code(), error.hint().map(str::to_owned).or_else(|| system::below(error)?.1)));
    }
    if let Some(error) = cause.downcast_ref::<FileError>() {
        return Some((error.code(), error.hint().map(str::to_owned).or_else(|| system::below(error)?.1)));
    }
    if let Some(error) = cause.downcast_ref::<kassa_lake::LogError>() {
        return Some(match error {
            kassa_lake::LogError::Io(error) => system::below(error).unwrap_or((Code::StorageFailed, None)),
            kassa_lake::LogError::Refused(refused) => (Code::StoreRefused, Some(refused.fix.clone())),
            kassa_lake::LogError::Corrupt(why) => corrupt(why),
            kassa_lake::LogError::Fenced(_) => (Code::Fenced, None),
            kassa_lake::LogError::Encode(_) => return None,
            kassa_lake::LogError::Newer(_) => newer(),
        });
    }
    if let Some(error) = cause.downcast_ref::<SinkError>() {
        return Some(match error {
            // An error about a URL is a server's, one about a path is a disk's.
            SinkError::Unavailable(why) if why.contains("://") => (Code::StoreUnreachable, None),
            SinkError::Unavailable(why) => system::in_text(why).unwrap_or((Code::StorageFailed, None)),
            SinkError::Fenced(_) | SinkError::Rewound(_) => (Code::Fenced, None),
            SinkError::Invalid(_) => (Code::StoreRefused, None),
            SinkError::Corrupt(why) => corrupt(why),
            SinkError::Newer(_) => newer(),
            SinkError::Rebuilding(_) => rebuilding(),
        });
    }
    if let Some(error) = cause.downcast_ref::<WarehouseError>() {
        return Some(match error {
            WarehouseError::Unavailable(_) => (Code::StoreUnreachable, None),
            WarehouseError::Invalid(_) => (Code::StoreRefused, None),
            WarehouseError::Corrupt(why) => corrupt(why),
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
            // The cause below has its own code.
            ExportError::Lake(_) | ExportError::Encode(_) => return None,
        });
    }
    if let Some(error) = cause.downcast_ref::<RegistryError>() {
        let code = if error.is_transient() { Code::SourceUnreachable } else { Code::SourceRefused };
        return Some((code, error.hint()));
    }
    if let Some(error) = cause.downcast_ref::<KafkaError>() {
        let is_away = error.kind() == ErrorKind::Unavailable;
        return Some((if is_away { Code::SourceUnreachable } else { Code::SourceRefused }, error.hint()));
    }
    None
}

/// The same of causes that have nothing below them that explains them better.
fn unexplained(cause: &(dyn Error + 'static)) -> Option<(Code, Option<String>)> {
    let index = cause.downcast_ref::<IndexError>();
    let index = index.or_else(|| match cause.downcast_ref::<WriteError>() {
        Some(WriteError::Index(error)) => Some(error),
        _ => None,
    });
    match (cause.downcast_ref::<StageError>(), index) {
        (Some(StageError::Schemas(_)), _) => {
            Some((Code::SourceUnreachable, Some("`kassa doctor` checks the schema registry".to_owned())))
        }
        (Some(StageError::UnknownTopic(topic)), _) => {
            Some((Code::UnknownStream, Some(format!("configure a stream with `topic = \"{topic}\"`"))))
        }
        (Some(StageError::Index(IndexError::Corrupt(_))), _) | (_, Some(IndexError::Corrupt(_))) => {
            let fix = "delete the folder `state` in data_dir and start again: it is rebuilt from the lake";
            Some((Code::StorageFailed, Some(fix.to_owned())))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_cause_is_printed_once_and_decides_nothing_about_the_code() {
        let missing = io::Error::new(io::ErrorKind::NotFound, "no such file");
        let damaged = kassa_lake::LogError::corrupt_at("DWH/fact_order/1.parquet", missing);
        let error = anyhow::Error::new(damaged).context("could not read the lake");
        assert_eq!(chain(&error), "could not read the lake: DWH/fact_order/1.parquet: no such file");
        assert!(error.chain().any(|cause| cause.is::<io::Error>()), "{error:?}");
        assert_eq!(judge(&error).0, Code::LakeCorrupt);
    }

    #[test]
    fn only_what_no_cause_explains_is_a_defect() {
        let full = || io::Error::from_raw_os_error(28);
        let at = |why: String| anyhow::Error::new(SinkError::Unavailable(why)).context("the lake stopped");
        for error in [
            anyhow::Error::new(full()).context("could not write a file of the checkpoint"),
            anyhow::Error::new(kassa_lake::LogError::from(full())).context("could not open the lake"),
            anyhow::Error::new(kassa_lake::LogError::encode(io::Error::other(full()))),
            anyhow::Error::new(ExportError::from(full())),
            anyhow::Error::new(StageError::from(IndexError::Io { path: "index".into(), source: full() })),
            at(format!("DWH/spans: {}", full())),
        ] {
            let (code, fix) = judge(&error);
            assert_eq!(code, Code::StorageFailed, "{error:?}");
            assert!(fix.is_some_and(|fix| fix.contains("free space")), "{error:?}");
        }
        assert_eq!(judge(&at("s3://shop/lake: connection refused".to_owned())).0, Code::StoreUnreachable);
        let damaged = StageError::from(IndexError::Corrupt("index".into()));
        assert_eq!(judge(&anyhow::Error::new(damaged)).0, Code::StorageFailed);
        assert_eq!(judge(&anyhow::Error::new(StageError::UnknownTopic("visits".to_owned()))).0, Code::UnknownStream);
        let away = WarehouseError::Unavailable("connection refused".to_owned());
        assert_eq!(judge(&anyhow::Error::new(away)).0, Code::StoreUnreachable);
        assert_eq!(judge(&anyhow::Error::msg("the server panicked")).0, Code::Defect);
        assert_eq!(judge(&anyhow::Error::new(kassa_lake::LogError::encode(Cause::from("a row too many")))).0, Code::Defect);
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
