//! Parses the JSON that the shop writes: no spaces, and no escapes except `\"` and `\\`.

use memchr::{memchr, memchr2};

use super::Unread;

#[derive(Debug, Clone, Copy)]
pub(super) enum Token<'a> {
    /// Without its quotes, still escaped.
    Text(&'a [u8]),
    Number(&'a [u8]),
    Truth(bool),
    Object(&'a [u8]),
    Array(&'a [u8]),
}

/// The contents of an object or an array, one after another.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    rest: &'a [u8],
}

impl<'a> Entries<'a> {
    pub(super) fn of_object(json: &'a [u8]) -> Result<Self, Unread> {
        Self::within(json, b'{', b'}')
    }

    pub(super) fn of_array(json: &'a [u8]) -> Result<Self, Unread> {
        Self::within(json, b'[', b']')
    }

    fn within(json: &'a [u8], open: u8, close: u8) -> Result<Self, Unread> {
        match json {
            [first, rest @ .., last] if *first == open && *last == close => Ok(Self { rest }),
            _ => Err(json.len()),
        }
    }

    pub(super) fn left(&self) -> Unread {
        self.rest.len()
    }

    /// The next key and value of an object.
    pub(super) fn next(&mut self) -> Result<Option<(&'a [u8], Token<'a>)>, Unread> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let Token::Text(key) = self.value()? else { return Err(self.left()) };
        self.rest = self.rest.strip_prefix(b":").ok_or(self.left())?;
        let value = self.item()?.ok_or(self.left())?;
        Ok(Some((key, value)))
    }

    /// The next item of an array.
    pub(super) fn item(&mut self) -> Result<Option<Token<'a>>, Unread> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let value = self.value()?;
        self.rest = match self.rest {
            [] => self.rest,
            [b',', rest @ ..] => rest,
            _ => return Err(self.left()),
        };
        Ok(Some(value))
    }

    fn value(&mut self) -> Result<Token<'a>, Unread> {
        let rest = self.rest;
        let (token, length) = match rest {
            [b'"', text @ ..] => {
                let end = end_of_text(text).ok_or(rest.len())?;
                (Token::Text(&text[..end]), end + 2)
            }
            [b'{', ..] => {
                let length = nested(rest).ok_or(rest.len())?;
                (Token::Object(&rest[..length]), length)
            }
            [b'[', ..] => {
                let length = nested(rest).ok_or(rest.len())?;
                (Token::Array(&rest[..length]), length)
            }
            _ => {
                let length = memchr(b',', rest).unwrap_or(rest.len());
                match &rest[..length] {
                    b"true" => (Token::Truth(true), length),
                    b"false" => (Token::Truth(false), length),
                    digits => (Token::Number(digits), length),
                }
            }
        };
        self.rest = &rest[length..];
        Ok(token)
    }
}

/// The position of the quote that ends a text.
fn end_of_text(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', &text[at..])?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
        if at > text.len() {
            return None;
        }
    }
}

/// The bytes from an opening bracket to the one that closes it.
fn nested(rest: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_u32);
    loop {
        match rest.get(at)? {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b'"' => at += end_of_text(&rest[at + 1..])? + 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}
