//! Duty, which only the header of an order contains: the highest revision counts.

use hashbrown::HashMap;
use kassa_model::time::{Calendar, Local, SECOND};
use serde::{Deserialize, Serialize};

use crate::by_day::Days;
use crate::packed::Packed;
use crate::period;
use crate::query::By;
use crate::rates::{Coin, Rates, exact};
use crate::sales::Group;
use crate::varint::{read, read_id, read_scaled, unzigzag, write, write_id, write_scaled, zigzag};

/// A revision of an order; ordered by revision, and among equal ones by the rest, so that the same one wins in any order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Header {
    pub(crate) revision: i64,
    pub(crate) placed_at: i64,
    /// In the order's currency.
    pub(crate) duty: i64,
    pub(crate) country: u32,
    pub(crate) customer: u32,
    pub(crate) channel: u32,
    pub(crate) currency: u32,
    /// The order's currency on the day of the order.
    pub(crate) coin: Coin,
}

/// Most money is whole cents.
const CENT: i64 = 10_000;

impl Header {
    fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        write(&mut out, zigzag(self.revision));
        write_scaled(&mut out, self.placed_at, SECOND);
        write_scaled(&mut out, self.duty, CENT);
        for id in [self.country, self.customer, self.channel, self.currency, self.coin.bits()] {
            write_id(&mut out, id);
        }
        out
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        Some(Self {
            revision: unzigzag(read(bytes)?),
            placed_at: read_scaled(bytes, SECOND)?,
            duty: read_scaled(bytes, CENT)?,
            country: read_id(bytes)?,
            customer: read_id(bytes)?,
            channel: read_id(bytes)?,
            currency: read_id(bytes)?,
            coin: Coin::from_bits(read_id(bytes)?),
        })
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Duties {
    /// A later revision may change any of them, so each is kept.
    headers: Packed,
    #[serde(skip, default = "crate::figures::unset")]
    pub(crate) calendar: Calendar,
}

impl Duties {
    pub(crate) fn new(calendar: Calendar) -> Self {
        Self { headers: Packed::default(), calendar }
    }

    pub(crate) fn add(&mut self, order_key: i64, header: Header) {
        let known = self.headers.get(order_key.cast_unsigned()).and_then(Header::read);
        if known.is_none_or(|known| known < header) {
            self.headers.set(order_key.cast_unsigned(), &header.write());
        }
    }

    fn within(&self, days: Days) -> impl Iterator<Item = (Local, Header)> {
        let mut calendar = self.calendar.clone();
        let headers = self.headers.iter().filter_map(|(_, bytes)| Header::read(bytes));
        let with_duty = headers.filter(|header| header.duty != 0);
        with_duty.map(move |header| (calendar.local(header.placed_at), header)).filter(move |(at, _)| days.contains(at.date_key))
    }

    pub(crate) fn sums(&self, rates: &Rates, by: By, days: Days) -> HashMap<Group, i128> {
        let mut all: HashMap<Group, i128> = HashMap::new();
        for (at, header) in self.within(days) {
            let group = match by {
                By::Country => Group::Member(header.country),
                By::Customer => Group::Member(header.customer),
                By::Channel => Group::Member(header.channel),
                By::Currency => Group::Member(header.currency),
                by if by.is_time() => Group::Period(period::code(by, at.date_key, period::quarter(at))),
                _ => Group::Total,
            };
            let sum = all.entry(group).or_default();
            *sum = sum.saturating_add(exact(header.duty.into(), rates.of(header.coin).unwrap_or(0)));
        }
        all
    }

    /// Orders whose duty is missing because there is no rate, by currency.
    pub(crate) fn unconverted(&self, rates: &Rates, days: Days) -> HashMap<u32, i64> {
        let mut all = HashMap::new();
        for (_, header) in self.within(days).filter(|(_, header)| rates.of(header.coin).is_none()) {
            *all.entry(header.currency).or_default() += 1;
        }
        all
    }

    /// Memory, except for the allocator's rounding.
    pub(crate) fn size(&self) -> usize {
        self.headers.size()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_header_is_read_as_it_was_written(longs: [i64; 3], ids: [u32; 4], bits in 0..1_u32 << Coin::BITS) {
            let ([revision, placed_at, duty], [country, customer, channel, currency]) = (longs, ids);
            let coin = Coin::from_bits(bits);
            let header = Header { revision, placed_at, duty, country, customer, channel, currency, coin };
            prop_assert_eq!(Header::read(&header.write()), Some(header));
        }
    }
}
