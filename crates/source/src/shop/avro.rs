//! The shop's records in Avro, in a schema registry's framing: the same sequence and the same truth in another form. A record is read back
//! from the shop's own JSON, so that one place decides what happens; a malformed one is broken anew, in the ways in which Avro breaks.
//!
//! ```text
//!  Shop::next ─► JSON ─► read.rs ─► slots, a field each ─┬─► frame `00 <id> <datum>`
//!                                  (of the latest record) └─► spoil.rs, where the record is malformed
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
#[error("a record of {stream} is not as the shop writes it, at byte {at}")]
pub struct NotOfTheShop {
    pub stream: &'static str,
    pub at: usize,
}

/// The versions of a contract's schema: each can be read by the next, as a registry asks. A drifted record is of one of the later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    First,
    /// Times are milliseconds.
    Millis,
    /// Has optional fields that the contract does not know.
    NewFields,
    /// Whole numbers are long, and decimals of 28 digits, of which three more behind the point.
    Widened,
}

impl Version {
    const ALL: [Self; 4] = [Self::First, Self::Millis, Self::NewFields, Self::Widened];
}

/// Further digits of a widened decimal.
const WIDER: u32 = 3;

/// The latest record of a contract, a stretch of bytes for each field, with its union's branch where it is optional.
#[derive(Debug, Default)]
struct Slots {
    bytes: Vec<u8>,
    fields: Vec<Range<usize>>,
}

#[derive(Debug)]
struct Form {
    contract: Contract,
    /// Those of [`Version::NewFields`] stand last.
    fields: Vec<Field>,
    by_name: HashMap<&'static [u8], usize>,
    ids: [u32; Version::ALL.len()],
    slots: Slots,
}

/// Writes the shop's records in Avro.
#[derive(Debug)]
pub struct Avro {
    forms: Vec<Form>,
    /// The schema of another application, whose id malformed records may bear.
    foreign: u32,
    rng: Rng,
    broken: u64,
}

impl Avro {
    /// `register` is told a stream's name and a schema in JSON, and answers the schema's id; of each contract the oldest schema first.
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

    /// Adds to `out` the frame of a record that the shop has just made.
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

/// How many bytes were left where a record is not as the shop writes it.
type Unread = usize;

impl Form {
    /// Reads a record's JSON into the slots.
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

    /// The frame of the record in the slots, with other bytes in place of some of them.
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
