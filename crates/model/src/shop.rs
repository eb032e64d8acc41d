//! The shop whose days and money the figures are in.

use jiff::tz::TimeZone;

use crate::{Currency, time};

/// Time zone and reporting currency of the shop.
#[derive(Debug, Clone)]
pub struct Shop {
    pub name: String,
    pub zone: TimeZone,
    pub zone_name: String,
    pub currency: Currency,
}

impl Shop {
    /// `None` if the zone is not an IANA name.
    pub fn new(name: &str, zone_name: &str, currency: Currency) -> Option<Self> {
        let zone = TimeZone::get(zone_name).ok()?;
        Some(Self { name: name.to_owned(), zone, zone_name: zone_name.to_owned(), currency })
    }

    /// A calendar that answers for this shop's zone; each thread has its own.
    pub fn calendar(&self) -> time::Calendar {
        time::Calendar::new(self.zone.clone())
    }
}
