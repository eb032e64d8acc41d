//! Text from outside, as it may be shown: control characters, characters that change the direction of text, and characters that
//! nobody can see are replaced by escapes, so that a record cannot give orders to a terminal, forge a line of a log, or look like
//! another text. Every table, log line, error and CSV file of kassa passes through here (`docs/decisions/0037-output-is-escaped.md`).

use std::borrow::Cow;
use std::fmt::{self, Write};

/// The text on one line: line ends and tabs are escaped too. A backslash is left alone, so the result is for people; JSON
/// ([`json`]) keeps the exact text.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, &|_| false, &mut |at, out| match at {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        other => write!(out, "\\u{{{:x}}}", u32::from(other)),
    })
}

/// The text with its line ends (`\n`) and tabs.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, &|at| matches!(at, '\n' | '\t'), &mut |at, out| match at {
        '\r' => out.write_str("\\r"),
        other => write!(out, "\\u{{{:x}}}", u32::from(other)),
    })
}

/// A JSON text with JSON's own escapes: any reader gets the same strings back. `text` must be JSON, in which such characters
/// occur only in strings.
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(text, &|at| matches!(at, '\n' | '\r' | '\t'), &mut |at, out| {
        at.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
    })
}

type Escape<'f> = &'f mut dyn FnMut(char, &mut String) -> fmt::Result;

fn escaped<'t>(text: &'t str, is_kept: &dyn Fn(char) -> bool, escape: Escape<'_>) -> Cow<'t, str> {
    // Most texts are plain ASCII.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut before = None;
    let mut all = text.chars().peekable();
    while let Some(at) = all.next() {
        let joins = is_joiner(at) && !before.is_none_or(is_plain) && !all.peek().copied().is_none_or(is_plain);
        if is_hidden(at) && !joins && !is_kept(at) {
            // Writing to a `String` does not fail.
            escape(at, &mut out).unwrap_or_default();
        } else {
            out.push(at);
        }
        before = Some(at);
    }
    Cow::Owned(out)
}

/// Joiners are part of emoji and of Persian and Indic words. Between other characters they only make two texts look alike.
fn is_joiner(at: char) -> bool {
    matches!(at, '\u{200c}' | '\u{200d}')
}

fn is_plain(at: char) -> bool {
    at.is_ascii() || is_hidden(at)
}

/// Whether a character is an order to a terminal or to the layout of text, or cannot be seen. Spaces and combining marks can.
pub fn is_hidden(at: char) -> bool {
    match at {
        ' '..='~' => false,
        // C0, DEL and C1.
        '\0'..='\u{9f}' => true,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{8e2}' | '\u{feff}' => true,
        '\u{600}'..='\u{605}' | '\u{890}'..='\u{891}' => true,
        // Fillers that have no glyph.
        '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}' => true,
        '\u{180b}'..='\u{180f}' => true,
        // Zero-width characters and marks of direction; separators of lines and paragraphs; embeddings, overrides and isolates.
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        // Annotations, the replacement character (bytes that were not UTF-8), and what is not a character.
        '\u{fff0}'..='\u{ffff}' => true,
        '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' => true,
        // Tags and supplementary variation selectors, which can hide a whole text.
        '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
