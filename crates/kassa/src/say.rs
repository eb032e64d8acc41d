//! Words on stderr. They may contain a name or an error from outside, so they pass through escapes; `eprintln!` does not.

use std::io::{self, Write};

use kassa_model::printable::printable_lines;

/// `eprintln!`, with escapes.
macro_rules! say {
    ($($words:tt)*) => { $crate::say::line(&format!($($words)*)) };
}

/// Prints on stderr. If nobody reads stderr, the words are lost and the command goes on.
pub fn line(words: &str) {
    let mut err = io::stderr().lock();
    err.write_all(printable_lines(words).as_bytes()).and_then(|()| err.write_all(b"\n")).unwrap_or_default();
}

/// A text from outside within other words: its line ends cannot begin a line of their own.
pub fn indented(words: &str) -> String {
    words.trim_end().replace('\n', "\n     ")
}

#[cfg(test)]
mod tests {
    use super::indented;

    #[test]
    fn a_line_end_in_an_error_forges_no_line() {
        assert_eq!(indented("no column `a\nerror[K020]: all is lost`\n"), "no column `a\n     error[K020]: all is lost`");
    }
}
