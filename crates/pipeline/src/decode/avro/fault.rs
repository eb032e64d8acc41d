//! What is wrong with a datum, and where. The path is built while the error is returned, so valid records do not pay for it.

use std::borrow::Cow;

use kassa_model::{DeadLetter, Reason};

use crate::decode::shorten;

/// A longer path is cut at the front.
const PATH_MAX: usize = 160;

#[derive(Debug)]
pub(super) struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    reason: Reason,
    /// From the inside out.
    path: Vec<String>,
    detail: Cow<'static, str>,
}

impl Fault {
    #[cold]
    pub(super) fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { reason, path: Vec::new(), detail: detail.into() }))
    }

    #[cold]
    pub(super) fn in_field(mut self, name: &str) -> Self {
        self.0.path.push(format!(".{}", shorten(name)));
        self
    }

    #[cold]
    pub(super) fn in_item(mut self, nth: u64) -> Self {
        self.0.path.push(format!("[{nth}]"));
        self
    }

    pub(super) fn letter(self) -> DeadLetter {
        let Inner { reason, path, detail } = *self.0;
        let whole: String = path.into_iter().rev().collect();
        let path = whole.strip_prefix('.').unwrap_or(&whole);
        let excess = path.len().saturating_sub(PATH_MAX);
        let start = (excess..).find(|at| path.is_char_boundary(*at)).unwrap_or(0);
        let field = if excess == 0 { path.to_owned() } else { format!("…{}", &path[start..]) };
        DeadLetter::new(reason, field, detail)
    }
}
