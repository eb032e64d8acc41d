//! Failures that have a code and a page, and how any error is shown and exits.

use std::fmt;
use std::process::ExitCode;

use kassa_model::Code;

/// A failure with a code, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    pub code: Code,
    pub what: String,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), hint: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}

/// The words have been said already; only the exit code is left.
#[derive(Debug, thiserror::Error)]
#[error("exit {0}")]
pub struct Exit(pub u8);

/// Prints the chain once, then the hint and the page, and gives the exit code: 1 failed, 2 usage, 78 configuration.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(Exit(code)) = error.downcast_ref::<Exit>() {
        return ExitCode::from(*code);
    }
    if let Some(mistakes) = error.downcast_ref::<kassa_config::Mistakes>() {
        eprintln!("{mistakes}");
        return ExitCode::from(78);
    }
    let failure = error.chain().find_map(|cause| cause.downcast_ref::<Failure>());
    let chain = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
    match failure {
        Some(failure) => {
            eprintln!("error[{}]: {chain}", failure.code);
            if let Some(hint) = &failure.hint {
                eprintln!("hint: {hint}");
            }
            eprintln!("see {}", failure.code.page());
            let usage = matches!(failure.code, Code::UnknownFigure | Code::UnknownStream | Code::BadParameter);
            let config = failure.code.code().starts_with('C');
            ExitCode::from(if config {
                78
            } else if usage {
                2
            } else {
                1
            })
        }
        None => {
            eprintln!("error: {chain}");
            ExitCode::from(1)
        }
    }
}
