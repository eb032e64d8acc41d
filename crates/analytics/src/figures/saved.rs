//! Figures in a checkpoint: everything that was folded in, without what follows from the shop's settings.

use jiff::tz::TimeZone;
use kassa_model::Shop;
use kassa_model::time::Calendar;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Figures;
use crate::rates::Rates;

/// A placeholder for the shop's calendar until the figures are loaded.
pub(crate) fn unset() -> Calendar {
    Calendar::new(TimeZone::UTC)
}

/// Only figures for all queries are saved: those for one query are built from the rows that it needs.
impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ledger = (&self.names, &self.sales, &self.orders, &self.duties, &self.payments, self.rates.saved());
        let behaviour = (&self.sessions, &self.persons, &self.recent);
        (ledger, behaviour, &self.watermark, self.first_day).serialize(serializer)
    }
}

impl Figures {
    /// Loads saved figures. The shop's time zone and currency must be those of the saved figures.
    pub fn load<'de, D: Deserializer<'de>>(shop: &Shop, saved: D) -> Result<Self, D::Error> {
        let (ledger, behaviour, watermark, first_day) = Deserialize::deserialize(saved)?;
        let (names, sales, orders, duties, payments, rates) = ledger;
        let rates = Rates::load(shop.currency, rates);
        let (sessions, persons, recent) = behaviour;
        let folded = Self { names, sales, orders, duties, payments, rates, ..Self::new(shop) };
        let mut figures = Self { sessions, persons, recent, watermark, first_day, ..folded };
        for calendar in [&mut figures.orders.calendar, &mut figures.duties.calendar, &mut figures.sessions.calendar] {
            *calendar = shop.calendar();
        }
        Ok(figures)
    }
}
