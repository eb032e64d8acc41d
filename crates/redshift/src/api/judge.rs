//! Classifies failed requests: retry, or the operator must fix something.

use std::error::Error;

use aws_sdk_redshiftdata::config::http::HttpResponse;
use aws_sdk_redshiftdata::error::{ProvideErrorMetadata, SdkError};

/// Why a request failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may have been carried out, and may be retried.
    Passing(String),
    /// The statement is unknown, or expired.
    Gone(String),
    Refused {
        what: String,
        fix: String,
    },
}

/// An error with its causes.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let words = next.to_string();
        if !said.contains(&words) {
            said = format!("{said}: {words}");
        }
        cause = next.source();
    }
    said
}

pub(super) fn judged<E>(error: &SdkError<E, HttpResponse>) -> Failure
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let refused = |what: String, fix: &str| Failure::Refused { what, fix: fix.to_owned() };
    let service = match error {
        SdkError::ServiceError(service) => service,
        _ => {
            let why = chain(error);
            // Nothing was sent, because there were no credentials to sign it.
            let is_unsigned = why.to_lowercase().contains("credentials") || matches!(error, SdkError::ConstructionFailure(_));
            let fix = "the keys are those of [lake.s3], or of the environment where it has none";
            return if is_unsigned { refused(why, fix) } else { Failure::Passing(why) };
        }
    };
    let (code, status) = (service.err().code().unwrap_or_default(), service.raw().status().as_u16());
    let said = service.err().message().unwrap_or("it does not say why");
    let what = if code.is_empty() { format!("HTTP {status}: {said}") } else { format!("{code}: {said}") };
    match code {
        "ThrottlingException" | "ActiveStatementsExceededException" | "InternalServerException" => Failure::Passing(what),
        "ResourceNotFoundException" => Failure::Gone(what),
        _ if status == 429 || status >= 500 => Failure::Passing(what),
        "AccessDeniedException" | "UnrecognizedClientException" | "InvalidSignatureException" | "ExpiredTokenException" => {
            refused(what, "give the identity the rights of docs/how-to/redshift.md, or fix the keys of [lake.s3]")
        }
        _ => refused(what, "fix [redshift]: workgroup or cluster, database, db_user and secret_arn"),
    }
}
