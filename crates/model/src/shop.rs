//! The shop: its time zone and currency apply to all figures.

use jiff::tz::TimeZone;

use crate::{Currency, time};

/// Time zone, reporting currency and country of the shop.
#[derive(Debug, Clone)]
pub struct Shop {
    pub name: String,
    pub zone: TimeZone,
    pub zone_name: String,
    pub currency: Currency,
    /// ISO 3166-1 alpha-2: the country of the calendar's holidays.
    pub country: Option<&'static str>,
}

impl Shop {
    /// `None` if the zone is not an IANA name.
    pub fn new(name: &str, zone_name: &str, currency: Currency) -> Option<Self> {
        let zone = TimeZone::get(zone_name).ok()?;
        Some(Self { name: name.to_owned(), zone, zone_name: zone_name.to_owned(), currency, country: None })
    }

    /// Sets the country, by its code.
    #[must_use]
    pub fn in_country(self, country: Option<&'static str>) -> Self {
        Self { country, ..self }
    }

    /// A calendar for this shop's zone; each thread has its own.
    pub fn calendar(&self) -> time::Calendar {
        time::Calendar::new(self.zone.clone())
    }
}
