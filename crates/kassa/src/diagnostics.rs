//! Log lines and panics on stderr, with escapes: both may contain text of a record.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::io::IsTerminal;

use kassa_model::printable::printable;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};

/// Libraries that log requests with their headers, and so credentials, at finer levels.
const QUIET: [&str; 4] = ["aws=warn", "h2=warn", "hyper=warn", "reqwest=warn"];

/// Starts the log, by `KASSA_LOG`, and the report of panics.
pub fn start() {
    let log = tracing_subscriber::fmt().with_env_filter(filter()).with_writer(std::io::stderr).with_ansi(colour());
    log.fmt_fields(PrintableFields).init();
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        say!("thread '{}' {}", printable(thread.name().unwrap_or("?")), crate::say::indented(&panic.to_string()));
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            say!("{trace}");
        }
    }));
}

/// `KASSA_LOG`, by default warnings. At a finer level than warnings, the lines of [`QUIET`] stay out.
fn filter() -> EnvFilter {
    let filter = EnvFilter::try_from_env("KASSA_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    if filter.max_level_hint() <= Some(LevelFilter::WARN) {
        return filter;
    }
    QUIET.into_iter().filter_map(|directive| directive.parse().ok()).fold(filter, EnvFilter::add_directive)
}

fn colour() -> bool {
    std::env::var_os("NO_COLOR").is_none() && std::io::stderr().is_terminal()
}

/// The message and the fields of an event or a span, on one line.
#[derive(Debug)]
struct PrintableFields;

impl<'w> FormatFields<'w> for PrintableFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut text = String::new();
        DefaultFields::new().format_fields(Writer::new(&mut text), fields)?;
        writer.write_str(&printable(&text))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use kassa_model::printable::is_hidden;

    use super::PrintableFields;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn fields_messages_and_spans_of_a_log_line_are_escaped() {
        let kept = Kept::default();
        let writer = kept.clone();
        let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).fmt_fields(PrintableFields);
        let evil = "\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{2028}\n2026-01-01T00:00:00Z ERROR forged";
        tracing::subscriber::with_default(log.finish(), || {
            let span = tracing::error_span!("commit", topic = evil);
            let _entered = span.enter();
            let error = io::Error::other(evil);
            tracing::error!(why = %evil, raw = ?evil, text = evil, error = &error as &dyn std::error::Error, "{evil}");
        });
        let line = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let line = line.strip_suffix('\n').expect("a line");
        assert!(!line.chars().any(is_hidden), "{line:?}");
        assert_eq!(line.matches("forged").count(), 6, "{line}");
    }
}
