//! The progress of a proof on stderr, if that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kassa_lake::prove::Progress;

const KNOWN: &str = "{bar:30} {percent:>3} % · {msg} · {human_pos} rows · {eta} left";
const UNKNOWN: &str = "{spinner} {msg} · {human_pos} rows · {elapsed}";

/// A line that is drawn again and again, and removed at the end.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    pub fn on_stderr() -> Self {
        Self(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10)))
    }
}

impl Progress for Bar {
    fn step(&self, name: &'static str, rows: Option<u64>) {
        self.0.reset();
        match rows {
            Some(rows) => self.0.set_length(rows),
            None => self.0.unset_length(),
        }
        if let Ok(style) = ProgressStyle::with_template(if rows.is_some() { KNOWN } else { UNKNOWN }) {
            self.0.set_style(style);
        }
        self.0.set_message(name);
    }

    fn read(&self, rows: usize) {
        self.0.inc(u64::try_from(rows).unwrap_or(0));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
