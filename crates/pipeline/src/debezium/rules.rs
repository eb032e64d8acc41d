//! Reads and sets the fields of a row by the contract's names.

use jiff::tz::TimeZone;
use kassa_model::{DeadLetter, Reason};

use crate::decode::{Layout, Payload, Value};

/// The contract that the rows are in, and the zone of times without one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'t> {
    pub(crate) layout: &'t Layout,
    pub(crate) zone: &'t TimeZone,
}

impl Rules<'_> {
    pub(super) fn get<'p, 'a>(&self, payload: &'p Payload<'a>, name: &str) -> &'p Value<'a> {
        self.layout.slot(name).map_or(&Value::Absent, |slot| payload.get(slot))
    }

    pub(super) fn has(&self, payload: &Payload<'_>, name: &str) -> bool {
        match self.get(payload, name) {
            Value::Absent => false,
            Value::Text(text) => !text.is_empty(),
            _ => true,
        }
    }

    /// Sets a value, replacing the row's.
    pub(super) fn put<'a>(&self, payload: &mut Payload<'a>, name: &str, value: Value<'a>) {
        if let Some(slot) = self.layout.slot(name) {
            // It does not matter here whether the row contained the field.
            let _is_first = payload.set(slot, value);
        }
    }

    pub(super) fn put_if_absent<'a>(&self, payload: &mut Payload<'a>, name: &str, value: Value<'a>) {
        if !self.has(payload, name) {
            self.put(payload, name, value);
        }
    }
}

pub(super) fn unsupported(field: &'static str, detail: &'static str) -> DeadLetter {
    DeadLetter::new(Reason::UnsupportedChange, field, detail)
}
