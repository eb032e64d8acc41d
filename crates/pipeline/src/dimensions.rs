//! Members of dimensions, each written when it is first named. Keys are computed, so a member needs no look-up and a fact that
//! names it before its master data has come needs no re-keying later.

use hashbrown::HashMap;
use kassa_model::{Currency, Key, Table, country, key};

use crate::event::Address;
use crate::rows::Row;
use crate::shape::Shaper;

/// Two members have one key: the lake would add up what does not belong together.
#[derive(Debug, Clone, thiserror::Error)]
#[error("two members of {table} have the key {key}: `{natural}` and one seen before")]
pub struct Collision {
    pub table: &'static str,
    pub key: i64,
    pub natural: String,
}

/// The members already written, with a second hash of their natural key: 16 bytes a member.
#[derive(Debug, Default)]
pub struct Members {
    known: HashMap<(Table, i64), u32>,
}

impl Members {
    /// Whether this is the first sight of the member.
    pub fn is_new(&mut self, table: Table, key: Key, natural: &[&str]) -> Result<bool, Collision> {
        if key == Key::UNKNOWN {
            return Ok(false);
        }
        let check = check(natural);
        match self.known.entry((table, key.0)) {
            hashbrown::hash_map::Entry::Vacant(entry) => {
                entry.insert(check);
                Ok(true)
            }
            hashbrown::hash_map::Entry::Occupied(mut entry) if [check, UNCHECKED].contains(entry.get()) => {
                entry.insert(check);
                Ok(false)
            }
            hashbrown::hash_map::Entry::Occupied(_) => {
                Err(Collision { table: table.name(), key: key.0, natural: natural.join("/") })
            }
        }
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Takes note of a member whose natural key is not known any more: its key is, and is taken for right.
    pub fn remember(&mut self, table: Table, key: Key) {
        self.known.entry((table, key.0)).or_insert(UNCHECKED);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

/// In place of the hash of a natural key that is not known.
const UNCHECKED: u32 = 0;

fn check(natural: &[&str]) -> u32 {
    let hash = key::hash("check", natural).to_le_bytes();
    u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]).max(UNCHECKED + 1)
}

impl Shaper<'_> {
    fn member(&mut self, table: Table, key: Key, natural: &[&str]) -> Result<bool, Collision> {
        self.memory.members.is_new(table, key, natural)
    }

    pub(crate) fn customer(&mut self, store: &str, id: &str) -> Result<Key, Collision> {
        let key = Key::of("customer", &[store, id]);
        if self.member(Table::DimCustomer, key, &[store, id])? {
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
        if self.member(Table::DimProduct, key, &natural)? {
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
            let key = Key::of("category", &[upto]);
            level += 1;
            if self.member(Table::DimCategory, key, &[upto])? {
                let name = upto.rsplit(" > ").next().unwrap_or(upto);
                self.add(Table::DimCategory, |row, _| row.key(key).text(name).i32(level).key(parent).text(upto));
            }
            parent = key;
        }
        Ok(parent)
    }

    pub(crate) fn country(&mut self, code: Option<&str>) -> Result<Key, Collision> {
        let code = code.unwrap_or_default();
        let key = Key::of("country", &[code]);
        if self.member(Table::DimCountry, key, &[code])? {
            let name = country::name_of(code).unwrap_or(code);
            self.add(Table::DimCountry, |row, _| row.key(key).text(code).text(name));
        }
        Ok(key)
    }

    pub(crate) fn city(&mut self, address: &Address<'_>) -> Result<Key, Collision> {
        let country = self.country(address.country)?;
        let Some(name) = address.city else { return Ok(Key::UNKNOWN) };
        let natural = [address.country.unwrap_or_default(), address.region.unwrap_or_default(), name];
        let key = Key::of("city", &natural);
        if self.member(Table::DimCity, key, &natural)? {
            self.add(Table::DimCity, |row, _| row.key(key).text(name).text(address.region).key(country));
        }
        Ok(key)
    }

    /// Key of the address and of its country.
    pub(crate) fn address(&mut self, address: &Address<'_>) -> Result<(Key, Key), Collision> {
        let city = self.city(address)?;
        let country = self.country(address.country)?;
        let part = |part: Option<&'_ str>| part.unwrap_or_default().to_owned();
        let natural =
            [part(address.street), part(address.region), part(address.country), part(address.city), part(address.postcode)];
        if natural.iter().all(String::is_empty) {
            return Ok((Key::UNKNOWN, country));
        }
        // The closing word keeps an address without a postcode from being taken for an unknown one.
        let natural = [natural[0].as_str(), &natural[1], &natural[2], &natural[3], &natural[4], "address"];
        let key = Key::of("address", &natural);
        if self.member(Table::DimAddress, key, &natural)? {
            self.add(Table::DimAddress, |row, _| row.key(key).text(address.postcode).key(city));
        }
        Ok((key, country))
    }

    fn named(&mut self, table: Table, kind: &str, name: &str) -> Result<Key, Collision> {
        let key = Key::of(kind, &[name]);
        if self.member(table, key, &[name])? {
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
        let key = Key::of("currency", &[currency.code()]);
        if self.member(Table::DimCurrency, key, &[currency.code()])? {
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
