//! How each contract turns a change into a record.

use std::borrow::Cow;

use kassa_model::{Contract, DeadLetter};
use xxhash_rust::xxh3::xxh3_64;

use super::envelope::{Change, Op};
use super::money;
use super::rules::{Rules, unsupported};
use crate::decode::{self, Leads, Payload, Value, keep_extra};

/// The fields that identify a row of a contract.
fn key_fields(contract: Contract) -> &'static [&'static str] {
    match contract {
        Contract::Event => &["store_id", "event_id"],
        Contract::Order => &["store_id", "order_id"],
        Contract::OrderLine => &["store_id", "order_id", "line_id"],
        Contract::Payment => &["store_id", "payment_id", "kind"],
        Contract::Refund => &["store_id", "refund_id"],
        Contract::Customer => &["store_id", "customer_id"],
        Contract::Product => &["store_id", "product_id", "variant_id"],
        Contract::Inventory => &["store_id", "product_id", "variant_id", "location"],
        Contract::FxRate => &["base", "quote", "day"],
    }
}

/// Personal fields: the new version of a deleted customer does not contain them.
const PERSONAL: [&str; 5] = ["name", "email", "phone", "address_street", "address_postcode"];

impl<'a> Change<'a> {
    /// Reads the rows, whose columns have the names of the contract's fields, and turns `row` into the record of the change.
    pub(crate) fn fill<'p>(
        &self,
        rules: Rules<'_>,
        row: &mut Payload<'p>,
        before: &mut Payload<'p>,
        leads: &mut Leads,
    ) -> Result<(), DeadLetter>
    where
        'a: 'p,
    {
        decode::text(rules.layout, self.row, row, leads)?;
        if let Some(text) = self.before {
            decode::text(rules.layout, text, before, leads)?;
        }
        self.apply(rules, row, before)
    }

    /// Turns `row` into the record of the change; `before` is the row as it was, if the event contains it.
    pub(crate) fn apply<'p>(&self, rules: Rules<'_>, row: &mut Payload<'p>, before: &mut Payload<'p>) -> Result<(), DeadLetter> {
        let identity = self.identity(rules, row);
        match self.op {
            Op::Create | Op::Read => {
                rules.put_if_absent(row, "event_id", Value::Text(Cow::Owned(identity)));
                self.inserted(rules, row);
            }
            Op::Update | Op::Delete => {
                match self.op {
                    Op::Delete => self.deleted(rules, row)?,
                    _ => self.updated(rules, row, before)?,
                }
                rules.put(row, "event_id", Value::Text(Cow::Owned(identity)));
                self.happened_then(rules, row);
            }
        }
        if let Some(name) = &self.origin.name {
            rules.put_if_absent(row, "source", Value::Text(Cow::Owned(name.clone())));
        }
        Ok(())
    }

    /// The id of the event: its position in the source's log, and the key of the row.
    fn identity(&self, rules: Rules<'_>, row: &Payload<'_>) -> String {
        let mut key = String::new();
        for name in key_fields(rules.layout.contract) {
            match rules.get(row, name) {
                Value::Text(text) => key.push_str(text),
                Value::Number(digits) => key.push_str(digits),
                Value::Integer(whole) => key.push_str(&whole.to_string()),
                _ => {}
            }
            key.push('\0');
        }
        format!("{}/{:016x}", self.origin.position, xxh3_64(key.as_bytes()))
    }

    /// The time of an inserted row: its own, else that of its order, else that of the database.
    fn inserted(&self, rules: Rules<'_>, row: &mut Payload<'_>) {
        if !rules.has(row, "occurred_at") {
            match rules.get(row, "placed_at").clone() {
                Value::Absent => self.happened_then(rules, row),
                placed_at => rules.put(row, "occurred_at", placed_at),
            }
        }
        rules.put_if_absent(row, "revision", Value::Integer(self.origin.revision));
        row.is_insert = self.op == Op::Create;
    }

    /// The time of a change: that of the database, whatever time the row contains.
    pub(super) fn happened_then(&self, rules: Rules<'_>, row: &mut Payload<'_>) {
        rules.put(row, "occurred_at", self.origin.at.map_or(Value::Absent, Value::Micros));
    }

    fn updated<'p>(&self, rules: Rules<'_>, row: &mut Payload<'p>, before: &mut Payload<'p>) -> Result<(), DeadLetter> {
        match rules.layout.contract {
            Contract::Event => Err(unsupported("op", "what has happened in a shop is not changed afterwards")),
            Contract::OrderLine | Contract::Payment | Contract::Refund => {
                if !self.has_before() {
                    return Err(super::envelope::no_before("before", "an update without the row as it was"));
                }
                money::updated(self, rules, row, before)
            }
            Contract::Order => {
                rules.put_if_absent(row, "revision", Value::Integer(self.origin.revision));
                Ok(())
            }
            Contract::Customer | Contract::Product | Contract::Inventory | Contract::FxRate => Ok(()),
        }
    }

    fn deleted(&self, rules: Rules<'_>, row: &mut Payload<'_>) -> Result<(), DeadLetter> {
        match rules.layout.contract {
            Contract::Event => Err(unsupported("op", "what has happened in a shop is not undone afterwards")),
            Contract::FxRate => Err(unsupported("op", "amounts are converted at this rate: send another for its day")),
            Contract::OrderLine | Contract::Payment | Contract::Refund => money::deleted(self, rules, row),
            Contract::Order => self.deleted_order(rules, row),
            Contract::Customer => {
                self.says_more_than_its_key(rules, row)?;
                for name in PERSONAL {
                    rules.put(row, name, Value::Absent);
                }
                keep_extra(&mut row.extra, "_deleted", "true");
                Ok(())
            }
            Contract::Product => {
                self.says_more_than_its_key(rules, row)?;
                rules.put(row, "status", Value::Text("deleted".into()));
                Ok(())
            }
            Contract::Inventory => {
                rules.put(row, "level", Value::Integer(0));
                Ok(())
            }
        }
    }

    /// A last revision. Its lines are rows of their own; deleting them reverses their amounts.
    fn deleted_order(&self, rules: Rules<'_>, row: &mut Payload<'_>) -> Result<(), DeadLetter> {
        self.says_more_than_its_key(rules, row)?;
        let own = match rules.get(row, "revision") {
            Value::Number(digits) => digits.parse::<i64>().ok(),
            Value::Text(digits) => digits.parse().ok(),
            Value::Integer(whole) => Some(*whole),
            _ => None,
        };
        rules.put(row, "revision", Value::Integer(own.map_or(self.origin.revision, |own| own.saturating_add(1))));
        rules.put(row, "status", Value::Text("deleted".into()));
        rules.put(row, "lines", Value::Absent);
        rules.put_if_absent(row, "cancelled_at", self.origin.at.map_or(Value::Absent, Value::Micros));
        Ok(())
    }

    /// A version with nothing but a key would hide the known values of its row.
    fn says_more_than_its_key(&self, rules: Rules<'_>, row: &Payload<'_>) -> Result<(), DeadLetter> {
        let keys = key_fields(rules.layout.contract);
        let says = |name: &str| !keys.contains(&name) && rules.has(row, name);
        if rules.layout.names.iter().any(|name| says(name)) {
            return Ok(());
        }
        Err(super::envelope::no_before("before", "a deletion with nothing of the row but its key"))
    }
}
