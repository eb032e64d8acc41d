//! Visitors and customers. A person is computed from a number, so a million of them need memory
//! only for changes.

use super::json::Json;
use super::rng::{Rng, Weighted, mix, seed_of};
use super::words::{COUNTRIES, Country, DEVICES};

/// Anonymous ids from this number on belong to known customers' browsers.
const CUSTOMERS_BROWSERS: u64 = 1 << 40;
/// The number of latest anonymous visitors who may come back.
const REMEMBERED: u64 = 20_000;

/// A person's home, drawn from one number.
#[derive(Debug, Clone)]
pub(super) struct Home {
    pub(super) country: &'static Country,
    city: usize,
    street: usize,
    house: u64,
    postcode: u64,
}

/// A visitor, known or not.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    browser: u64,
    /// The browser's id in records.
    pub(super) anonymous_id: u64,
    pub(super) customer: Option<u32>,
    pub(super) home: Home,
    pub(super) device: &'static str,
    pub(super) channel: &'static str,
}

impl Visitor {
    /// The number by which days count the person: the customer's, or else the browser's.
    pub(super) fn person(&self) -> u64 {
        self.customer.map_or(self.browser | 1 << 63, u64::from)
    }
}

#[derive(Debug, Clone, Copy)]
struct Customer {
    /// Their first browser: home and device are drawn from it.
    browser: u64,
    /// Whether a record of the customer has been emitted.
    is_recorded: bool,
    /// The number of their moves.
    version: u8,
}

/// All customers, and the number of anonymous visitors so far.
#[derive(Debug)]
pub(super) struct People {
    seed: u64,
    customers: Vec<Customer>,
    strangers: u64,
    countries: Weighted,
}

impl People {
    /// `customers` is the number of customers before the first day.
    pub(super) fn new(seed: u64, customers: u64) -> Self {
        let customer = |number| Customer { browser: CUSTOMERS_BROWSERS | number, is_recorded: false, version: 0 };
        let countries = Weighted::new(COUNTRIES.iter().map(|country| country.weight));
        Self { seed: seed_of(seed, "people"), customers: (0..customers).map(customer).collect(), strangers: 0, countries }
    }

    fn rng_of(&self, kind: u64, number: u64) -> Rng {
        Rng::new(self.seed ^ mix(number.wrapping_mul(4) + kind))
    }

    /// The person with this browser.
    fn stranger(&self, browser: u64) -> Visitor {
        let mut rng = self.rng_of(0, browser);
        let (device, channel) = rng.choose(&DEVICES);
        let country = &COUNTRIES[self.countries.draw(&mut rng)];
        // The lower of two draws, because the largest cities are first.
        let city = rng.index(country.cities.len()).min(rng.index(country.cities.len()));
        let home = Home { city, ..Home::somewhere(country, &mut rng) };
        Visitor { browser, anonymous_id: mix(self.seed.wrapping_add(browser)), customer: None, home, device, channel }
    }

    fn known(&self, customer: u32) -> Visitor {
        let Customer { browser, version, .. } = self.customers[customer as usize];
        let mut visitor = Visitor { customer: Some(customer), ..self.stranger(browser) };
        if version > 0 {
            // They move within their country, so that their currency stays.
            let mut rng = self.rng_of(1, u64::from(customer) << 8 | u64::from(version));
            visitor.home = Home::somewhere(visitor.home.country, &mut rng);
        }
        visitor
    }

    pub(super) fn home_of(&self, customer: u32) -> Home {
        self.known(customer).home
    }

    /// The next visitor: a known customer, a returning stranger or a new one.
    pub(super) fn visit(&mut self, rng: &mut Rng) -> Visitor {
        if rng.permille(300) && !self.customers.is_empty() {
            return self.known(self.loyal(rng));
        }
        if self.strangers > 0 && rng.permille(220) {
            return self.stranger(self.strangers - 1 - rng.below(self.strangers.min(REMEMBERED)));
        }
        self.strangers += 1;
        self.stranger(self.strangers - 1)
    }

    /// A customer: the lower of two draws, so that the earliest are the most loyal.
    fn loyal(&self, rng: &mut Rng) -> u32 {
        rng.index(self.customers.len()).min(rng.index(self.customers.len())) as u32
    }

    /// A stranger opens an account.
    pub(super) fn register(&mut self, visitor: &mut Visitor) {
        visitor.customer = Some(self.customers.len() as u32);
        self.customers.push(Customer { browser: visitor.browser, is_recorded: false, version: 0 });
    }

    /// Whether a record of this customer is due: at their first visit, and sometimes when they have
    /// moved.
    pub(super) fn has_news(&mut self, customer: u32, rng: &mut Rng) -> bool {
        let Some(held) = self.customers.get_mut(customer as usize) else { return false };
        let moved = held.is_recorded && held.version < u8::MAX && rng.permille(25);
        held.version += u8::from(moved);
        let news = moved || !held.is_recorded;
        held.is_recorded = true;
        news
    }

    /// Whether the record of this customer is still due, because they have not visited the shop.
    pub(super) fn is_due(&mut self, customer: u32) -> bool {
        self.customers.get_mut(customer as usize).is_some_and(|held| !std::mem::replace(&mut held.is_recorded, true))
    }

    pub(super) fn write_customer(&self, customer: u32, home: &Home, json: &mut Json<'_>) {
        let mut rng = self.rng_of(2, u64::from(customer));
        let (first, last) = (rng.one_of(home.country.first), rng.one_of(home.country.last));
        let mut handle: String = first.chars().chain(last.chars()).filter(char::is_ascii_alphabetic).collect();
        handle.make_ascii_lowercase();
        customer_id(json, customer);
        json.texts("name", &[first, " ", last]).id("email", &[&handle], u64::from(customer) + 1, "@mail.example");
        if rng.permille(400) {
            json.id("phone", &["+44 7700 "], rng.below(1_000_000), "");
        }
        json.text("segment", rng.choose(&[(60, "regular"), (25, "new"), (10, "vip"), (5, "trade")]));
        json.text("consent", rng.choose(&[(55, "email"), (30, "none"), (15, "email,sms")]));
        home.write("address", json);
    }
}

pub(super) fn customer_id(json: &mut Json<'_>, customer: u32) {
    json.id("customer_id", &["C"], u64::from(customer) + 1, "");
}

impl Home {
    /// A random home in a country.
    pub(super) fn somewhere(country: &'static Country, rng: &mut Rng) -> Self {
        let (city, street) = (rng.index(country.cities.len()), rng.index(country.streets.len()));
        Self { country, city, street, house: rng.below(180) + 1, postcode: rng.next() }
    }

    /// Writes the whole address.
    pub(super) fn write(&self, key: &str, json: &mut Json<'_>) {
        let mut house = [0; 4];
        let number = fill(b"###", self.house, &mut house).trim_start_matches('0');
        json.object(key, |json| {
            json.texts("street", &[number, " ", self.country.streets[self.street]]);
            self.write_place(json);
        });
    }

    /// Writes the address without the street, as in lines and refunds.
    pub(super) fn write_short(&self, key: &str, json: &mut Json<'_>) {
        json.object(key, |json| self.write_place(json));
    }

    fn write_place(&self, json: &mut Json<'_>) {
        let (city, region, pattern) = self.country.cities[self.city];
        let mut postcode = [0; 12];
        json.text("postcode", fill(pattern.as_bytes(), self.postcode, &mut postcode));
        json.text("city", city).text("region", region).text("country", self.country.code);
    }
}

/// Replaces `#` with digits and `@` with letters of `number`, from the right.
fn fill<'a>(pattern: &[u8], mut number: u64, buffer: &'a mut [u8]) -> &'a str {
    const LETTERS: &[u8; 16] = b"ABDEFGHJLNPQRSTU";
    let filled = &mut buffer[..pattern.len()];
    for (to, from) in filled.iter_mut().zip(pattern).rev() {
        *to = match from {
            b'#' => b'0' + (number % 10) as u8,
            b'@' => LETTERS[(number % 16) as usize],
            other => *other,
        };
        if matches!(from, b'#' | b'@') {
            number /= 16 - 6 * u64::from(*from == b'#');
        }
    }
    std::str::from_utf8(filled).unwrap_or_default()
}
