//! Answers, each from the one definition of its figure.

use hashbrown::HashMap;

use super::Figures;
use crate::answer::{Answer, Keyed, Unconverted, Values, mean, ratio};
use crate::by_day::Days;
use crate::customers;
use crate::kind::{Kind, Whole};
use crate::measure::{Measure, NET};
use crate::names::Names;
use crate::period;
use crate::query::{Basis, By, Query, QueryError};
use crate::sales::Group;
use crate::sessions::{Counts, Step};

impl Figures {
    /// Answers a query from all rows applied so far.
    pub fn answer(&self, query: &Query) -> Result<Answer, QueryError> {
        query.check()?;
        let currency = self.shop.currency;
        Ok(Answer {
            figure: query.figure.name,
            unit: query.figure.unit,
            currency: currency.code().to_owned(),
            basis: query.basis,
            time_zone: self.shop.zone_name.clone(),
            by: query.by,
            from: query.from.map(|day| day.to_string()),
            to: query.to.map(|day| day.to_string()),
            event_time: self.event_time(),
            unconverted: self.unconverted(query),
            rows: self.values(query).into_rows(query, currency),
        })
    }

    pub(crate) fn values(&self, query: &Query) -> Values {
        let (by, days, basis) = (query.by, query.days(), query.basis.unwrap_or_default());
        let sums = match query.figure.kind {
            Kind::Sum(measure) => self.ledger(measure, by, basis, days),
            Kind::SumWithDuty(measure) => {
                let mut all = self.ledger(measure, by, basis, days);
                all.add_all(self.keyed(by, self.duties.sums(&self.rates, by, days)));
                all
            }
            Kind::Ratio { part, whole } => {
                let part = self.ledger(part, by, basis, days);
                return match whole {
                    Whole::Orders => part.over(&self.orders(by, days), mean),
                    Whole::Measure(whole) => part.over(&self.ledger(whole, by, basis, days), ratio),
                };
            }
            Kind::Orders => self.orders(by, days),
            Kind::Payments => self.keyed(by, self.payments.sums(&self.rates, by, days)),
            Kind::ActiveCustomers => self.counts(by, self.persons.by_time(by, days)),
            Kind::Sessions => self.sessions(by, days, |counts| counts.sessions),
            Kind::AbandonedCarts => self.sessions(by, days, |counts| counts.abandoned),
            Kind::Conversion => {
                let sessions = self.sessions(by, days, |counts| counts.sessions);
                return self.sessions(by, days, |counts| counts.converted).over(&sessions, ratio);
            }
            Kind::Funnel => return self.funnel(days),
            Kind::NewCustomers => self.counts(by, customers::new(&self.orders.days_of_customers(), by, days)),
            Kind::ReturningCustomers => self.counts(by, customers::returning(&self.orders.days_of_customers(), by, days)),
            Kind::CohortRetention => return customers::cohorts(&self.orders.days_of_customers(), days),
            Kind::RepeatRate => return Values::total(customers::repeat_rate(&self.orders.days_of_customers(), days)),
            Kind::CustomerValue => return self.customer_value(query, basis, days),
            Kind::Rfm => return self.rfm(query, basis, days),
        };
        sums.values(query.figure.unit)
    }

    /// A measure of the ledger by key, money exact; the total exists even without rows.
    pub(crate) fn ledger(&self, measure: &Measure, by: By, basis: Basis, days: Days) -> Keyed {
        self.keyed(by, self.sales.sums((measure, &self.rates), by, basis, days))
    }

    fn keyed(&self, by: By, sums: HashMap<Group, i128>) -> Keyed {
        let mut all = Keyed::default();
        if by == By::Total {
            all.add("total", "total", 0);
        }
        for (group, value) in sums {
            match group {
                Group::Total => all.add("total", "total", value),
                Group::Period(code) => {
                    let key = period::key(by, code);
                    all.add(&key, &key, value);
                }
                Group::Member(id) => {
                    let (key, label) = self.names.of(by, id);
                    all.add(key, label, value);
                }
                Group::Movement(movement) => {
                    let (key, label) = Names::of_movement(movement);
                    all.add(key, label, value);
                }
            }
        }
        all
    }

    fn counts(&self, by: By, counts: impl IntoIterator<Item = (i64, i128)>) -> Keyed {
        let group = |code| if by == By::Total { Group::Total } else { Group::Period(code) };
        self.keyed(by, counts.into_iter().map(|(code, count)| (group(code), count)).collect())
    }

    pub(crate) fn orders(&self, by: By, days: Days) -> Keyed {
        if by == By::Total || by.is_time() {
            self.counts(by, self.orders.by_time(by, days))
        } else {
            self.orders.by_member(by, days, &self.names)
        }
    }

    fn sessions(&self, by: By, days: Days, count: fn(&Counts) -> i64) -> Keyed {
        let counts = self.sessions.by_time(by, days).into_iter();
        self.counts(by, counts.map(|(code, counts)| (code, i128::from(count(&counts)))))
    }

    /// Sessions that reached each step of the funnel.
    pub(crate) fn reached(&self, days: Days) -> [(&'static str, i64); 4] {
        let counts = self.sessions.by_time(By::Total, days).into_values().next().unwrap_or_default();
        [0, 1, 2, 3].map(|at| (Step::FUNNEL[at], counts.reached[at]))
    }

    fn funnel(&self, days: Days) -> Values {
        let row = |(step, count): (&str, i64)| (Some(i128::from(count)), step.to_owned(), step.to_owned());
        Values(self.reached(days).map(row).to_vec())
    }

    /// Net sales of each known customer, exact.
    fn net_of_customers(&self, basis: Basis, days: Days) -> HashMap<u32, i128> {
        let sums = self.sales.sums((NET, &self.rates), By::Customer, basis, days);
        sums.into_iter()
            .filter_map(|(group, net)| if let Group::Member(id @ 1..) = group { Some((id, net)) } else { None })
            .collect()
    }

    fn customer_value(&self, query: &Query, basis: Basis, days: Days) -> Values {
        let (by, unit) = (query.by, query.figure.unit);
        let net = self.net_of_customers(basis, days);
        if by == By::Total {
            return Values::total(mean(net.values().sum(), i128::try_from(net.len()).unwrap_or_default()));
        }
        self.keyed(by, net.into_iter().map(|(id, net)| (Group::Member(id), net)).collect()).values(unit)
    }

    fn rfm(&self, query: &Query, basis: Basis, days: Days) -> Values {
        let (by, unit) = (query.by, query.figure.unit);
        let scores = customers::rfm(&self.orders.days_of_customers(), days, &self.net_of_customers(basis, days));
        if by != By::Customer {
            return customers::segments(&scores).values(unit);
        }
        let row = |(id, [r, f, m]): &(u32, [usize; 3])| {
            let (key, label) = self.names.of(by, *id);
            (i128::try_from(r * 100 + f * 10 + m).ok(), key.to_owned(), label.to_owned())
        };
        Values(scores.iter().map(row).collect())
    }

    fn unconverted(&self, query: &Query) -> Vec<Unconverted> {
        let (days, basis) = (query.days(), query.basis.unwrap_or_default());
        let kind = query.figure.kind;
        let mut rows =
            kind.measure().map(|measure| self.sales.unconverted((measure, &self.rates), basis, days)).unwrap_or_default();
        let others = match kind {
            kind if kind.has_duty() => self.duties.unconverted(&self.rates, days),
            Kind::Payments => self.payments.unconverted(&self.rates, days),
            _ => HashMap::new(),
        };
        others.into_iter().for_each(|(currency, more)| *rows.entry(currency).or_default() += more);
        let mut all: Vec<_> = rows
            .into_iter()
            .map(|(currency, rows)| Unconverted { currency: self.names.symbols.text(currency).to_owned(), rows })
            .collect();
        all.sort_by(|left, right| left.currency.cmp(&right.currency));
        all
    }
}
