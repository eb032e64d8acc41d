//! The shop's records in Avro, in a schema registry's framing: the same sequence and expected
//! results in another form. A record is parsed from the shop's own JSON, so that the content is
//! decided in one place. A malformed one is broken again, in ways specific to Avro.
//!
//! ```text
//!  Shop::next ─► JSON ─► read.rs ─► slots, one per field ─┬─► frame `00 <id> <datum>`
//!                                  (of the latest record)  └─► spoil.rs, if the record is malformed
//! ```

mod read;
mod schema;
mod spoil;
mod write;

use std::collections::HashMap;
use std::ops::Range;

use kassa_model::{Contract, Fate};

use super::rng::{Rng, seed_of};
use super::{Emitted, stream_of};
use read::{Entries, Token};
use schema::{Field, Type};

/// A record that the shop has not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a record of {stream} was not written by the shop, at byte {at}")]
pub struct NotOfTheShop {
    pub stream: &'static str,
    pub at: usize,
}

/// The versions of a contract's schema. Each can be read by the next, as a registry requires. A
/// drifted record has one of the later versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    First,
    /// Times are milliseconds.
    Millis,
    /// Has optional fields that the contract does not have.
    NewFields,
    /// Whole numbers are long, and decimals have 28 digits with three more fractional digits.
    Widened,
}

impl Version {
    const ALL: [Self; 4] = [Self::First, Self::Millis, Self::NewFields, Self::Widened];
}

/// Additional fractional digits of a widened decimal.
const WIDER: u32 = 3;

/// The latest record of a contract: a range of bytes for each field, with the union's branch for an
/// optional field.
#[derive(Debug, Default)]
struct Slots {
    bytes: Vec<u8>,
    fields: Vec<Range<usize>>,
}

#[derive(Debug)]
struct Form {
    contract: Contract,
    /// The fields of [`Version::NewFields`] are last.
    fields: Vec<Field>,
    by_name: HashMap<&'static [u8], usize>,
    ids: [u32; Version::ALL.len()],
    slots: Slots,
}

/// Writes the shop's records in Avro.
#[derive(Debug)]
pub struct Avro {
    forms: Vec<Form>,
    /// The schema of another application; some malformed records have its id.
    foreign: u32,
    rng: Rng,
    broken: u64,
}

impl Avro {
    /// `register` gets a stream's name and a schema in JSON, and returns the schema's id; for each
    /// contract, the oldest schema first.
    pub fn new<E>(seed: u64, mut register: impl FnMut(&str, &str) -> Result<u32, E>) -> Result<Self, E> {
        let mut forms = Vec::with_capacity(Contract::ALL.len());
        for contract in Contract::ALL {
            let mut ids = [0; Version::ALL.len()];
            for version in Version::ALL {
                ids[version as usize] = register(stream_of(contract), &schema::text(contract, version))?;
            }
            let fields = schema::fields(contract);
            let by_name = fields.iter().enumerate().map(|(at, field)| (field.name.as_bytes(), at)).collect();
            forms.push(Form { contract, fields, by_name, ids, slots: Slots::default() });
        }
        let foreign = register("heartbeats", schema::FOREIGN)?;
        Ok(Self { forms, foreign, rng: Rng::new(seed_of(seed, "avro")), broken: 0 })
    }

    /// Appends the frame of the record that the shop has just emitted to `out`.
    pub fn encode(&mut self, emitted: &Emitted, json: &[u8], out: &mut Vec<u8>) -> Result<(), NotOfTheShop> {
        let form = &mut self.forms[emitted.contract as usize];
        if emitted.fate == Fate::DeadLetter {
            self.broken += 1;
            spoil::broken(form, self.broken, self.foreign, &mut self.rng, out);
            return Ok(());
        }
        let version =
            form.read(json).map_err(|left| NotOfTheShop { stream: emitted.stream, at: json.len().saturating_sub(left + 1) })?;
        form.write(version, &[], out);
        Ok(())
    }
}

/// The number of remaining bytes at the position of an unexpected byte.
type Unread = usize;

impl Form {
    /// Parses a record's JSON into the slots.
    fn read(&mut self, json: &[u8]) -> Result<Version, Unread> {
        let Slots { bytes, fields: slots } = &mut self.slots;
        bytes.clear();
        slots.clear();
        slots.resize(self.fields.len(), 0..0);
        let mut version = Version::First;
        let mut entries = Entries::of_object(json)?;
        while let Some((key, token)) = entries.next()? {
            let at = *self.by_name.get(key).ok_or(entries.left())?;
            let field = &self.fields[at];
            version = match (field.name, &token) {
                (_, Token::Number(_)) if field.kind == Type::Moment => Version::Millis,
                _ if field.is_new => Version::NewFields,
                ("schema_version", _) if version == Version::First => Version::Widened,
                _ => version,
            };
            let from = bytes.len();
            if !field.is_required {
                bytes.extend_from_slice(write::PRESENT);
            }
            field.kind.write(token, bytes).ok_or(entries.left())?;
            slots[at] = from..bytes.len();
        }
        Ok(version)
    }

    /// The frame of the record in the slots, with some of the bytes replaced.
    fn write(&self, version: Version, instead: &[(usize, &[u8])], out: &mut Vec<u8>) {
        write::header(self.ids[version as usize], out);
        for (at, field) in self.fields.iter().enumerate() {
            if field.is_new && version != Version::NewFields {
                continue;
            }
            let own = self.slots.fields.get(at).map_or(&[][..], |slot| &self.slots.bytes[slot.clone()]);
            let value = instead.iter().find(|(other, _)| *other == at).map_or(own, |(_, value)| value);
            out.extend_from_slice(if value.is_empty() { write::ABSENT } else { value });
        }
    }

    fn slot(&self, name: &str) -> Option<usize> {
        self.by_name.get(name.as_bytes()).copied()
    }

    /// A field that the latest record has.
    fn held(&self, name: &str) -> Option<usize> {
        self.slot(name).filter(|at| self.slots.fields.get(*at).is_some_and(|slot| !slot.is_empty()))
    }
}

#[cfg(test)]
mod tests;
