//! Members of dimensions, each written when it is first named. Keys are computed, so a member needs no look-up and a fact that
//! names it before its master data has come needs no re-keying later.

use std::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashMap;
use kassa_model::{Currency, Key, Table, country};

use crate::event::{Address, Envelope};
use crate::journal::{Journal, Piece};
use crate::rows::Row;
use crate::shape::Shaper;
use crate::short::same;
use crate::validate::{look_at, mix};

/// Two members have one key: the lake would add up what does not belong together.
#[derive(Debug, Clone, thiserror::Error)]
#[error("two members of {table} have the key {key}: `{natural}` and one seen before")]
pub struct Collision {
    pub table: &'static str,
    pub key: i64,
    pub natural: String,
}

/// The members already written, each with a second hash of its natural key: 16 bytes a member.
#[derive(Debug, Default)]
pub struct Members {
    /// By the table's place in [`Table::ALL`].
    known: [HashMap<i64, u32, BuildHasherDefault<Itself>>; Table::ALL.len()],
    /// The member of each small table that was named last: nearly every record names it again, and comparing is cheaper than
    /// hashing.
    last: [Last; Table::ALL.len()],
    /// What was added since the last checkpoint.
    journal: Journal,
}

/// A member as checkpoints keep it: its table's place in [`Table::ALL`], its key, the second hash.
const SAVED: usize = 13;

fn to_bytes(table: usize, key: i64, check: u32) -> [u8; SAVED] {
    let mut bytes = [0; SAVED];
    bytes[0] = u8::try_from(table).unwrap_or(u8::MAX);
    bytes[1..9].copy_from_slice(&key.to_le_bytes());
    bytes[9..].copy_from_slice(&check.to_le_bytes());
    bytes
}

#[derive(Debug, Default)]
struct Last {
    key: Key,
    natural: String,
    /// Where each part of the natural key ends.
    ends: Vec<usize>,
}

impl Last {
    fn is(&self, natural: &[&str]) -> bool {
        if let ([only], 1) = (natural, self.ends.len()) {
            return same(self.natural.as_bytes(), only.as_bytes());
        }
        let mut start = 0;
        self.ends.len() == natural.len()
            && self.ends.iter().zip(natural).all(|(end, part)| {
                let same = same(&self.natural.as_bytes()[start..*end], part.as_bytes());
                start = *end;
                same
            })
    }

    fn set(&mut self, key: Key, natural: &[&str]) {
        self.key = key;
        self.natural.clear();
        self.ends.clear();
        for part in natural {
            self.natural.push_str(part);
            self.ends.push(self.natural.len());
        }
    }
}

impl Members {
    /// The key of the member of `kind` with this natural key, and whether this is its first sight.
    pub fn meet(&mut self, table: Table, kind: &str, natural: &[&str]) -> Result<(Key, bool), Collision> {
        if natural.last().is_none_or(|part| part.is_empty()) {
            return Ok((Key::UNKNOWN, false));
        }
        let last = &self.last[table as usize];
        if last.is(natural) {
            return Ok((last.key, false));
        }
        let key = Key::of(kind, natural);
        let is_new = self.is_new(table, key, natural)?;
        self.last[table as usize].set(key, natural);
        Ok((key, is_new))
    }

    /// Whether this is the first sight of the member.
    pub fn is_new(&mut self, table: Table, key: Key, natural: &[&str]) -> Result<bool, Collision> {
        if key == Key::UNKNOWN {
            return Ok(false);
        }
        let check = check(natural);
        match self.known[table as usize].entry(key.stored()) {
            hashbrown::hash_map::Entry::Vacant(entry) => {
                entry.insert(check);
                self.journal.add(to_bytes(table as usize, key.stored(), check));
                Ok(true)
            }
            hashbrown::hash_map::Entry::Occupied(mut entry) if [check, UNCHECKED].contains(entry.get()) => {
                entry.insert(check);
                Ok(false)
            }
            hashbrown::hash_map::Entry::Occupied(_) => {
                Err(Collision { table: table.name(), key: key.stored(), natural: natural.join("/") })
            }
        }
    }

    /// Fetches from memory what [`is_new`](Self::is_new) will ask of these keys, many at once.
    pub fn warm(&self, table: Table, keys: impl Iterator<Item = Key>) {
        let known = &self.known[table as usize];
        std::hint::black_box(keys.fold(0, |seen, key| seen ^ known.get(&key.stored()).copied().unwrap_or_default()));
    }

    /// Bytes in memory.
    pub fn size(&self) -> usize {
        self.known.iter().map(HashMap::allocation_size).sum()
    }

    pub fn len(&self) -> usize {
        self.known.iter().map(HashMap::len).sum()
    }

    /// Takes note of a member whose natural key is not known any more: its key is, and is taken for right.
    pub fn remember(&mut self, table: Table, key: Key) {
        if let hashbrown::hash_map::Entry::Vacant(entry) = self.known[table as usize].entry(key.stored()) {
            entry.insert(UNCHECKED);
            self.journal.add(to_bytes(table as usize, key.stored(), UNCHECKED));
        }
    }

    /// Starts to record what is added, for checkpoints. `is_saved`: a checkpoint contains all that is known now.
    pub fn record(&mut self, is_saved: bool) {
        self.journal.start(is_saved);
    }

    /// Makes the next cut a whole one.
    pub fn rewrite(&mut self) {
        self.journal.rewrite();
    }

    /// What a checkpoint adds to what earlier ones contain.
    pub fn cut(&mut self) -> Piece {
        let Self { known, journal, .. } = self;
        journal.cut(|bytes| {
            for (table, members) in known.iter().enumerate() {
                members.iter().for_each(|(key, check)| bytes.extend_from_slice(&to_bytes(table, *key, *check)));
            }
        })
    }

    /// Takes in a piece that [`cut`](Self::cut) made. `None`: it is not one.
    pub fn load(&mut self, piece: &[u8]) -> Option<()> {
        let (members, rest) = piece.as_chunks::<SAVED>();
        for member in members {
            let key = i64::from_le_bytes(member[1..9].try_into().ok()?);
            let check = u32::from_le_bytes(member[9..].try_into().ok()?);
            self.known.get_mut(usize::from(member[0]))?.insert(key, check);
        }
        rest.is_empty().then_some(())
    }

    /// Forgets the members of a table that `keep` does not approve of.
    pub fn retain(&mut self, table: Table, keep: impl Fn(Key) -> bool) {
        self.known[table as usize].retain(|key, _| keep(Key::from_stored(*key)));
        self.last[table as usize] = Last::default();
        self.journal.rewrite();
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.known.iter_mut().for_each(HashMap::clear);
        self.last.fill_with(Last::default);
        self.journal.rewrite();
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The hash of a key, which is one itself.
#[derive(Debug, Default)]
pub struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    /// Keys have 63 bits: the map takes the highest for its tags.
    fn write_i64(&mut self, key: i64) {
        self.0 = u64::from_ne_bytes(key.to_ne_bytes()).rotate_left(1);
    }
}

/// In place of the hash of a natural key that is not known.
const UNCHECKED: u32 = 0;

/// A hash of a natural key that has nothing in common with its key.
fn check(natural: &[&str]) -> u32 {
    let mut state = 0_u64;
    for part in natural {
        state = mix(state, look_at(part.as_bytes()).0);
    }
    let hash = (state ^ (state >> 32)).to_le_bytes();
    u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]).max(UNCHECKED + 1)
}

impl Shaper<'_> {
    fn member(&mut self, table: Table, kind: &str, natural: &[&str]) -> Result<(Key, bool), Collision> {
        self.memory.members.meet(table, kind, natural)
    }

    pub(crate) fn customer(&mut self, envelope: &Envelope<'_>) -> Result<Key, Collision> {
        let (key, id) = (envelope.customer, envelope.customer_id);
        if self.memory.members.is_new(Table::DimCustomer, key, &[envelope.store_id, id])? {
            self.add(Table::DimCustomer, |row, at| {
                row.key(key).text(id).text(None).text(None).key(Key::UNKNOWN).i64(at).bool(true).text(None)
            });
        }
        Ok(key)
    }

    /// A product that a fact names: its placeholder takes what the line says of it.
    pub(crate) fn product(
        &mut self,
        store: &str,
        id: Option<&str>,
        variant: Option<&str>,
        said: Said<'_>,
    ) -> Result<Key, Collision> {
        let Some(id) = id else { return Ok(Key::UNKNOWN) };
        let natural = [store, variant.unwrap_or_default(), id];
        let key = Key::of("product", &natural);
        if self.memory.members.is_new(Table::DimProduct, key, &natural)? {
            let category = self.category(said.category)?;
            self.add(Table::DimProduct, |row, at| {
                row.key(key)
                    .text(id)
                    .text(variant)
                    .text(said.sku)
                    .text(said.name)
                    .text(said.brand)
                    .key(category)
                    .decimal::<6>(None)
                    .decimal::<6>(None)
                    .text(None)
                    .text(None)
                    .i64(at)
                    .bool(true)
                    .text(None)
            });
        }
        Ok(key)
    }

    /// A path `A > B > C`: a row for each level that is new.
    pub(crate) fn category(&mut self, path: Option<&str>) -> Result<Key, Collision> {
        let (mut parent, mut level) = (Key::UNKNOWN, 0);
        let Some(path) = path else { return Ok(parent) };
        let ends = path.match_indices(" > ").map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            let upto = &path[..end];
            let (key, is_new) = self.member(Table::DimCategory, "category", &[upto])?;
            level += 1;
            if is_new {
                let name = upto.rsplit(" > ").next().unwrap_or(upto);
                self.add(Table::DimCategory, |row, _| row.key(key).text(name).i32(level).key(parent).text(upto));
            }
            parent = key;
        }
        Ok(parent)
    }

    pub(crate) fn country(&mut self, code: Option<&str>) -> Result<Key, Collision> {
        let code = code.unwrap_or_default();
        let (key, is_new) = self.member(Table::DimCountry, "country", &[code])?;
        if is_new {
            let name = country::name_of(code).unwrap_or(code);
            self.add(Table::DimCountry, |row, _| row.key(key).text(code).text(name));
        }
        Ok(key)
    }

    pub(crate) fn city(&mut self, address: &Address<'_>, country: Key) -> Result<Key, Collision> {
        let Some(name) = address.city else { return Ok(Key::UNKNOWN) };
        let natural = [address.country.unwrap_or_default(), address.region.unwrap_or_default(), name];
        let (key, is_new) = self.member(Table::DimCity, "city", &natural)?;
        if is_new {
            self.add(Table::DimCity, |row, _| row.key(key).text(name).text(address.region).key(country));
        }
        Ok(key)
    }

    /// Key of the address and of its country.
    pub(crate) fn address(&mut self, address: &Address<'_>) -> Result<(Key, Key), Collision> {
        let country = self.country(address.country)?;
        let city = self.city(address, country)?;
        let parts = [address.street, address.region, address.country, address.city, address.postcode];
        if parts.iter().flatten().all(|part| part.is_empty()) {
            return Ok((Key::UNKNOWN, country));
        }
        // The closing word keeps an address without a postcode from being taken for an unknown one.
        let [street, region, code, city_name, postcode] = parts.map(Option::unwrap_or_default);
        let natural = [street, region, code, city_name, postcode, "address"];
        let (key, is_new) = self.member(Table::DimAddress, "address", &natural)?;
        if is_new {
            self.add(Table::DimAddress, |row, _| row.key(key).text(address.postcode).key(city));
        }
        Ok((key, country))
    }

    fn named(&mut self, table: Table, kind: &str, name: &str) -> Result<Key, Collision> {
        let (key, is_new) = self.member(table, kind, &[name])?;
        if is_new {
            self.add(table, |row, _| row.key(key).text(name));
        }
        Ok(key)
    }

    pub(crate) fn channel(&mut self, name: &str) -> Result<Key, Collision> {
        self.named(Table::DimChannel, "channel", name)
    }

    pub(crate) fn promotion(&mut self, code: Option<&str>) -> Result<Key, Collision> {
        self.named(Table::DimPromotion, "promotion", code.unwrap_or_default())
    }

    pub(crate) fn payment_method(&mut self, name: Option<&str>) -> Result<Key, Collision> {
        self.named(Table::DimPaymentMethod, "payment_method", name.unwrap_or_default())
    }

    pub(crate) fn currency(&mut self, currency: Option<Currency>) -> Result<(), Collision> {
        let Some(currency) = currency else { return Ok(()) };
        let (key, is_new) = self.member(Table::DimCurrency, "currency", &[currency.code()])?;
        if is_new {
            let digits = i32::try_from(currency.minor_digits()).unwrap_or(2);
            self.add(Table::DimCurrency, |row, _| row.key(key).text(currency.code()).i32(digits));
        }
        Ok(())
    }

    /// Adds the row that the record (0) or its n-th nested line is there for; `fill` gets the event time. Its index does not depend
    /// on which members were new, so that a second reading makes the same row.
    pub(crate) fn fact(&mut self, table: Table, nth: u32, fill: impl for<'r> FnOnce(Row<'r>, i64) -> Row<'r>) {
        let lineage = self.lineage;
        let row = fill(self.rows.of(table).row(), lineage.occurred_at);
        lineage.finish(row, i32::try_from(nth).unwrap_or(i32::MAX));
    }

    /// Adds a row of a member that is new; `fill` gets the event time for `valid_from`.
    pub(crate) fn add(&mut self, table: Table, fill: impl for<'r> FnOnce(Row<'r>, i64) -> Row<'r>) {
        let lineage = self.lineage;
        let row = fill(self.rows.of(table).row(), lineage.occurred_at);
        lineage.finish(row, self.index);
        self.index += 1;
    }
}

/// What a line says of its product.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Said<'s> {
    pub(crate) sku: Option<&'s str>,
    pub(crate) name: Option<&'s str>,
    pub(crate) brand: Option<&'s str>,
    pub(crate) category: Option<&'s str>,
}
