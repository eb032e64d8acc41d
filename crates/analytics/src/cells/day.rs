//! The cells of a day by one dimension: a hash map for a recent day, packed for a past one.

use serde::{Deserialize, Serialize};

use super::{CellKey, Sums};
use crate::map::Map;
use crate::packed::Packed;
use crate::rates::Coin;
use crate::varint::{read_scaled, write_scaled};

/// Cells of 64-bit sums. A sum that would overflow is moved to `full` and restarted, so that totals, which have 128 bits, stay
/// exact.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Cells {
    current: Current,
    full: Vec<(CellKey, Sums)>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Current {
    Recent(Map<CellKey, Sums>),
    /// Some 12 bytes per cell instead of 60 to 120. A late row changes it in place.
    Past(Packed),
}

impl Default for Current {
    fn default() -> Self {
        Self::Recent(Map::default())
    }
}

/// Bits of a key before its coin.
const PLACE: u32 = u64::BITS - Coin::BITS;

impl CellKey {
    /// Keys of one coin are adjacent, so their differences are small.
    fn packed(self) -> u64 {
        self.0.rotate_left(PLACE)
    }

    fn unpacked(packed: u64) -> Self {
        Self(packed.rotate_right(PLACE))
    }
}

/// Most money is whole cents, and most units are whole.
const CENT: i64 = 10_000;
const UNIT: i64 = 1_000;

impl Sums {
    fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16);
        // Usually 0.
        let rest = self.net.wrapping_sub(self.gross).wrapping_add(self.discount);
        for money in [self.gross, self.discount, rest, self.tax, self.shipping] {
            write_scaled(&mut out, money, CENT);
        }
        write_scaled(&mut out, self.units, UNIT);
        out
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        let mut money = || read_scaled(&mut bytes, CENT);
        let (gross, discount, rest, tax, shipping) = (money()?, money()?, money()?, money()?, money()?);
        let net = rest.wrapping_add(gross).wrapping_sub(discount);
        Some(Self { gross, discount, net, tax, shipping, units: read_scaled(&mut bytes, UNIT)? })
    }
}

impl Cells {
    pub(crate) fn add(&mut self, key: CellKey, sums: &Sums) {
        match &mut self.current {
            Current::Recent(cells) => {
                let cell = cells.entry(key).or_default();
                match cell.plus(sums) {
                    Some(total) => *cell = total,
                    None => self.full.push((key, std::mem::replace(cell, *sums))),
                }
            }
            Current::Past(cells) => {
                let known = cells.get(key.packed()).and_then(Sums::read).unwrap_or_default();
                let total = known.plus(sums);
                if total.is_none() {
                    self.full.push((key, known));
                }
                cells.set(key.packed(), &total.unwrap_or(*sums).write());
            }
        }
    }

    pub(crate) fn settle(&mut self) {
        if let Current::Recent(cells) = &self.current {
            let mut sorted: Vec<(u64, Vec<u8>)> = cells.iter().map(|(key, sums)| (key.packed(), sums.write())).collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            self.current = Current::Past(Packed::of_sorted(sorted));
        }
    }

    pub(crate) fn is_past(&self) -> bool {
        matches!(self.current, Current::Past(_))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (CellKey, Sums)> {
        let (recent, past) = match &self.current {
            Current::Recent(cells) => (Some(cells), None),
            Current::Past(cells) => (None, Some(cells)),
        };
        let recent = recent.into_iter().flat_map(|cells| cells.iter()).map(|(key, sums)| (*key, *sums));
        let past = past.into_iter().flat_map(Packed::iter);
        let past = past.filter_map(|(key, bytes)| Some((CellKey::unpacked(key), Sums::read(bytes)?)));
        recent.chain(past).chain(self.full.iter().copied())
    }

    /// Memory, except for the allocator's rounding.
    pub(crate) fn size(&self) -> usize {
        let current = match &self.current {
            Current::Recent(cells) => cells.allocation_size(),
            Current::Past(cells) => cells.size(),
        };
        current + self.full.capacity() * size_of::<(CellKey, Sums)>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use kassa_model::Movement;

    fn sums() -> impl Strategy<Value = Sums> {
        // Cents, parts of cents, and numbers that overflow when they are added.
        let money = || prop_oneof![(-900..900_i64).prop_map(|cents| cents * CENT), -900..900_i64, Just(i64::MAX), Just(i64::MIN)];
        (money(), money(), money(), money(), money(), money()).prop_map(|(gross, discount, net, tax, shipping, units)| Sums {
            gross,
            discount,
            net,
            tax,
            shipping,
            units,
        })
    }

    fn key() -> impl Strategy<Value = CellKey> {
        let movement = proptest::sample::select(vec![Movement::Sale, Movement::Return]);
        (0..30_u32, movement, 0..3_u32).prop_map(|(member, movement, coin)| CellKey::new(member, movement, Coin::from_bits(coin)))
    }

    /// The exact totals of each cell.
    fn totals(cells: &Cells) -> BTreeMap<u64, [i128; 6]> {
        let mut all = BTreeMap::<u64, [i128; 6]>::new();
        for (key, sums) in cells.iter() {
            let total = all.entry(key.0).or_default();
            let parts = [sums.gross, sums.discount, sums.net, sums.tax, sums.shipping, sums.units];
            total.iter_mut().zip(parts).for_each(|(total, part)| *total += i128::from(part));
        }
        all
    }

    proptest! {
        #[test]
        fn a_packed_day_has_the_totals_of_one_that_is_not(rows in vec((key(), sums()), 1..200), cut in 0..200_usize) {
            let (mut recent, mut past) = (Cells::default(), Cells::default());
            for (nth, (key, sums)) in rows.iter().enumerate() {
                if nth == cut {
                    past.settle();
                }
                recent.add(*key, sums);
                past.add(*key, sums);
            }
            past.settle();
            prop_assert_eq!(totals(&past), totals(&recent));
        }

        #[test]
        fn sums_are_read_as_they_were_written(sums in sums(), key in key()) {
            prop_assert_eq!(Sums::read(&sums.write()), Some(sums));
            prop_assert_eq!(CellKey::unpacked(key.packed()), key);
        }
    }

    #[test]
    fn a_packed_cell_takes_sixteen_bytes() {
        let mut cells = Cells::default();
        for customer in 0..10_000_u32 {
            let money = i64::from(customer % 400) * 1_350_000;
            let sums = Sums { gross: money, discount: 0, net: money, tax: money / 5, shipping: 4_990_000, units: 3_000 };
            cells.add(CellKey::new(customer * 37, Movement::Sale, Coin::from_bits(1 << 20)), &sums);
        }
        let recent = cells.size();
        cells.settle();
        assert!(cells.size() < 16 * 10_000 && recent > 4 * cells.size(), "{} bytes, of a recent day {recent}", cells.size());
    }
}
