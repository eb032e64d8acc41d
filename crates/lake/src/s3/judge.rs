//! The meaning of a server's answer: not found, retry later, or the operator must change something
//! first.

use std::error::Error;
use std::io;

use object_store::Error as Failed;

use super::{S3Options, Unread};
use crate::store::Refused;

/// The location of the objects, for messages.
#[derive(Debug, Clone)]
pub(super) struct Location {
    bucket: String,
    prefix: String,
    server: String,
    /// The keys of the configuration, or those that were found.
    has_keys: bool,
}

impl Location {
    pub(super) fn of(options: &S3Options) -> Self {
        let server = options.endpoint.clone().unwrap_or_else(|| "Amazon S3".to_owned());
        let (bucket, prefix) = (options.bucket.clone(), options.prefix.clone());
        Self { bucket, prefix, server, has_keys: options.keys.is_some() }
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// An object's name in the bucket.
    pub(super) fn key(&self, path: &str) -> String {
        if self.prefix.is_empty() { path.to_owned() } else { format!("{}/{path}", self.prefix) }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("s3://{}/{}", self.bucket, self.key(path)).trim_end_matches('/').to_owned()
    }

    pub(super) fn unread(&self, error: Unread, path: &str) -> io::Error {
        match error {
            Unread::Failed(error) => self.judge(&error, "GET", path),
            Unread::BrokeOff(cause) => {
                io::Error::new(io::ErrorKind::UnexpectedEof, cause.within(format!("GET {} broke off", self.url(path))))
            }
        }
    }

    /// The error of a request, by what its caller should do.
    pub(super) fn judge(&self, error: &Failed, verb: &str, path: &str) -> io::Error {
        let said = chain(error);
        let code = between(&said, "<Code>", "</Code>").unwrap_or_default();
        if let Some((what, fix)) = self.refusal(error, (&said, code), verb, path) {
            return Refused::error(format!("{}: {what}", self.url(path)), fix);
        }
        let kind = match error {
            Failed::NotFound { .. } => io::ErrorKind::NotFound,
            // The error of several objects at once.
            _ if said.contains("code: NoSuchKey") => io::ErrorKind::NotFound,
            Failed::AlreadyExists { .. } | Failed::Precondition { .. } => io::ErrorKind::AlreadyExists,
            _ if code == "InvalidRange" || has_status(&said, 416) || said.contains("non-partial response") => {
                io::ErrorKind::InvalidInput
            }
            _ => io::ErrorKind::TimedOut,
        };
        io::Error::new(kind, format!("{verb} {}: {}", self.url(path), brief(&said, code)))
    }

    /// The refusal and its fix, if no retry can change it.
    fn refusal(&self, error: &Failed, (said, code): (&str, &str), verb: &str, path: &str) -> Option<(String, String)> {
        let (bucket, server) = (&self.bucket, &self.server);
        let which =
            if self.has_keys { "lake.s3.access_key_id and lake.s3.secret_access_key" } else { "the keys of the environment" };
        let answer = match code {
            "NoSuchBucket" => (
                format!("the bucket `{bucket}` does not exist at {server}"),
                "create the bucket, or fix lake.url or lake.s3.endpoint".to_owned(),
            ),
            "InvalidAccessKeyId" | "XAdminUserNotFound" => {
                (format!("{server} does not know the access key id"), format!("fix {which}"))
            }
            "SignatureDoesNotMatch" => {
                (format!("the secret key is not that of the access key id at {server}"), format!("fix {which}"))
            }
            "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => (
                format!("the session token is not valid any more at {server}"),
                format!("renew {which} and lake.s3.session_token"),
            ),
            "RequestTimeTooSkewed" | "RequestExpired" => (
                format!("this machine's clock differs from that of {server} by more than {server} allows"),
                "set this machine's clock, best by NTP".to_owned(),
            ),
            "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => {
                (format!("the bucket `{bucket}` is in another region"), "set lake.s3.region to the bucket's".to_owned())
            }
            "NotImplemented" => (
                format!("{server} has no {verb} of this kind"),
                "use a server that supports conditional PUT and multipart uploads".to_owned(),
            ),
            _ if said.contains("incorrectly configured region") => {
                (format!("the bucket `{bucket}` is in another region"), "set lake.s3.region to the bucket's".to_owned())
            }
            _ if said.contains("169.254.169.254") => (
                "there are no keys: none in [lake.s3], none in the environment, and no instance role answers".to_owned(),
                "set lake.s3.access_key_id and lake.s3.secret_access_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                    .to_owned(),
            ),
            _ if code == "AccessDenied"
                || said.contains("code: AccessDenied")
                || matches!(error, Failed::PermissionDenied { .. } | Failed::Unauthenticated { .. }) =>
            {
                let (right, on) = right(verb, bucket, &self.key(path));
                (
                    format!("{server} does not allow {right}"),
                    format!("allow {right} on {on} to the user of {which} (docs/how-to/s3.md)"),
                )
            }
            // Every other answer that the same request would get again. For a folder, which may be
            // empty, only the bucket can be missing.
            _ if [400, 405, 411, 501].into_iter().any(|status| has_status(said, status))
                || verb == "LIST" && has_status(said, 404) =>
            {
                (
                    format!("{server} refuses {verb}: {}", brief(said, code)),
                    "fix lake.url, lake.s3.endpoint, lake.s3.path_style or the keys".to_owned(),
                )
            }
            _ => return None,
        };
        Some(answer)
    }
}

fn has_status(said: &str, status: u16) -> bool {
    said.contains(&format!("status code: {status}"))
}

/// The right that a request needs, and its resource.
fn right(verb: &str, bucket: &str, key: &str) -> (&'static str, String) {
    let object = format!("arn:aws:s3:::{bucket}/{key}");
    match verb {
        "LIST" => ("s3:ListBucket", format!("arn:aws:s3:::{bucket}")),
        "PUT" => ("s3:PutObject", object),
        "DELETE" => ("s3:DeleteObject", object),
        _ => ("s3:GetObject", object),
    }
}

/// An error and its causes, each once.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(held) = cause {
        let text = held.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = held.source();
    }
    said
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    text.split_once(start)?.1.split_once(end).map(|(inner, _)| inner)
}

/// The part of an error that helps people: the server's code, or the last cause.
fn brief(said: &str, code: &str) -> String {
    match between(said, "<Message>", "</Message>") {
        Some(message) if !code.is_empty() => format!("{code}: {message}"),
        _ => said.split_once(" - ").map_or(said, |(_, cause)| cause).chars().take(300).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_names_its_resource() {
        assert_eq!(right("LIST", "b", "p/x"), ("s3:ListBucket", "arn:aws:s3:::b".to_owned()));
        assert_eq!(right("DELETE", "b", "p/x"), ("s3:DeleteObject", "arn:aws:s3:::b/p/x".to_owned()));
        assert_eq!(right("HEAD", "b", "p/x").0, "s3:GetObject");
    }

    #[test]
    fn the_servers_own_words_are_told_without_the_rest() {
        let said = "Generic S3 error: Error performing PUT http://h/b/k in 1s - Server returned non-2xx status code: 503: \
                    <Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>";
        assert_eq!(brief(said, "SlowDown"), "SlowDown: Reduce your rate");
        assert_eq!(brief("Error performing GET http://h in 1s - connection refused", ""), "connection refused");
    }
}
