//! Checks that need another record: that a duplicate repeats an accepted record, that a conflict contradicts one, that a line
//! which an order repeats is in the ledger. They are collected, and looked up in the primary tables together.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};

use arrow_array::RecordBatch;
use kassa_model::key::Id;
use kassa_model::{Contract, Table};

use super::Prover;
use super::finding::{Kind, Site};
use super::letters::{REJECTED, said};
use super::parts::at;
use crate::delta::LogError;
use crate::recover::{Held, KeysOf, identity_columns, is_nested};

/// The maximum number of collected checks before the tables are searched.
const MOST: usize = 500_000;

/// The record that must be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A record with the same contents.
    Duplicate,
    /// A line with the same contents.
    Line,
    /// A record or line with other contents, which the letter names by a text with this hash.
    Conflict(u64),
}

#[derive(Debug)]
struct Item {
    what: What,
    place: (u32, i64),
    found: bool,
    contradicted: bool,
}

impl Item {
    /// The tables that may contain it.
    fn tables(&self, contract: Contract) -> impl Iterator<Item = Table> + use<> {
        let own = (self.what != What::Line).then(|| Table::primary(contract));
        let ledger = (self.what != What::Duplicate && contract == Contract::Order).then_some(Table::FactSales);
        own.into_iter().chain(ledger)
    }
}

/// By key: the item, the line of it, and the contents.
type Asked = HashMap<Id, Vec<(usize, i32, i64)>>;

#[derive(Debug, Default)]
pub(super) struct Pending {
    items: Vec<Item>,
    asked: Asked,
    /// The item of each record, shared by its rows.
    records: HashMap<(u32, i64), usize>,
}

/// A row of a primary table, with its keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) keys: KeysOf,
    pub(super) content: i64,
    pub(super) part: u32,
    pub(super) offset: i64,
    pub(super) contract: Contract,
    pub(super) table: Table,
}

impl Pending {
    pub(super) fn add(&mut self, what: What, place: (u32, i64), nth: i32, content: i64, keys: &[Id]) {
        // The rows of a record are one item; each line that an accepted order repeats is an item of its own.
        let next = self.items.len();
        let item = if what == What::Line { next } else { *self.records.entry(place).or_insert(next) };
        if item == next {
            self.items.push(Item { what, place, found: false, contradicted: false });
        }
        for key in keys {
            self.asked.entry(*key).or_default().push((item, nth, content));
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= MOST
    }
}

impl Prover<'_> {
    /// Calls `take` with every row of the primary tables, before the cut or beyond it.
    pub(super) fn each_known(&mut self, take: &mut dyn FnMut(&mut Self, Known) -> Result<(), LogError>) -> Result<(), LogError> {
        let mut tables: BTreeSet<Table> = self.contracts.values().map(|contract| Table::primary(*contract)).collect();
        tables.extend(self.contracts.values().any(|contract| *contract == Contract::Order).then_some(Table::FactSales));
        for table in tables {
            self.scan(table, &identity_columns(table), &mut |prover, rows| prover.known(table, &rows, take))?;
        }
        Ok(())
    }

    /// As `each_known`, for rows of one table with its identity columns.
    fn known(
        &mut self,
        table: Table,
        rows: &RecordBatch,
        take: &mut dyn FnMut(&mut Self, Known) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let held = Held::of_table(rows, table)?;
        for row in 0..rows.num_rows() {
            let part = self.parts.number(held.topic.value(row), held.partition.value(row));
            let contract = self.contract(part);
            let known = contract.filter(|contract| Table::primary(*contract) == table || is_nested(*contract, table));
            if let Some(contract) = known {
                let (content, offset) = (held.content.value(row), held.offset.value(row));
                let keys = held.keys(&self.keyring, row, contract, table);
                take(self, Known { keys, content, part, offset, contract, table })?;
            }
        }
        Ok(())
    }

    /// Looks up everything that is pending.
    pub(super) fn settle(&mut self) -> Result<(), LogError> {
        let Pending { mut items, asked, .. } = std::mem::take(&mut self.pending);
        if items.is_empty() {
            return Ok(());
        }
        self.each_known(&mut |prover, known| {
            prover.answer(&mut items, &asked, known);
            Ok(())
        })?;
        if self.since.is_some() {
            self.settle_by_older(&mut items, &asked)?;
        }
        let mut lines = BTreeSet::new();
        for (key, askers) in asked {
            lines.extend(
                askers
                    .iter()
                    .filter(|(item, ..)| items[*item].what == What::Line && !items[*item].found)
                    .map(|(item, _, content)| (key, *content, items[*item].place)),
            );
        }
        self.lines_missing(&lines);
        items.iter().filter(|item| !item.found).for_each(|item| self.not_found(item));
        Ok(())
    }

    /// Looks up the rest in older rows, the latest first, until everything is found.
    fn settle_by_older(&mut self, items: &mut [Item], asked: &Asked) -> Result<(), LogError> {
        let mut wanted: BTreeSet<Table> = BTreeSet::new();
        for item in items.iter().filter(|item| !item.found) {
            wanted.extend(self.contract(item.place.0).into_iter().flat_map(|contract| item.tables(contract)));
        }
        // The ledger comes last: an order conflicts with another order more often than with a line.
        let (ledger, others): (Vec<Table>, Vec<Table>) = wanted.into_iter().partition(|table| *table == Table::FactSales);
        for table in others.into_iter().chain(ledger) {
            let may_answer = |item: &Item| self.contract(item.place.0).is_some_and(|of| item.tables(of).any(|own| own == table));
            let open = Cell::new(items.iter().filter(|item| !item.found && may_answer(item)).count());
            self.scan_older(table, &identity_columns(table), &|_| open.get() == 0, &mut |prover, rows| {
                prover.known(table, &rows, &mut |prover, known| {
                    open.set(open.get().saturating_sub(prover.answer(items, asked, known)));
                    Ok(())
                })
            })?;
        }
        Ok(())
    }

    /// Marks the items that a row resolves; returns how many were not resolved before.
    fn answer(&self, items: &mut [Item], asked: &Asked, known: Known) -> usize {
        let mut first = 0;
        for (item, nth, content) in known.keys.held().iter().filter_map(|key| asked.get(key)).flatten() {
            let item = &mut items[*item];
            let same = known.content == *content;
            item.contradicted |= !same;
            let is_answer = match item.what {
                What::Duplicate | What::Line => same,
                What::Conflict(words) if same => words == self.words_of_the_first(known),
                What::Conflict(words) => words == self.words(known, *nth),
            };
            first += usize::from(is_answer && !item.found);
            item.found |= is_answer;
        }
        first
    }

    /// The text by which a letter names the record that it contradicts.
    fn words(&self, known: Known, nth: i32) -> u64 {
        let partition = &self.parts[known.part].partition;
        let field = if nth == 0 { String::new() } else { format!("lines[{}]", nth - 1) };
        let place = format!("{}/{} offset {}", partition.topic, partition.number, known.offset);
        said(&field, &format!("the id was accepted with other contents at {place}"))
    }

    /// The text by which the letter of a row that was inserted again names the first insertion.
    fn words_of_the_first(&self, known: Known) -> u64 {
        let partition = &self.parts[known.part].partition;
        let place = format!("{}/{} offset {}", partition.topic, partition.number, known.offset);
        said("", &format!("the row was inserted before, and accepted at {place}"))
    }

    /// Reports lines that are in no revision's rows as missing where they came first.
    fn lines_missing(&mut self, lines: &BTreeSet<(Id, i64, (u32, i64))>) {
        let mut last = None;
        for (key, content, (part, offset)) in lines {
            if last != Some((key, content)) {
                let detail = "a line of the order is not in the ledger";
                self.findings.mark(Kind::Missing, Site::Table(Table::FactSales), *part, *offset, detail);
            }
            last = Some((key, content));
        }
    }

    fn not_found(&mut self, item: &Item) {
        let (part, offset) = item.place;
        match item.what {
            What::Line => {}
            What::Conflict(_) => {
                let detail = "no accepted record conflicts with this one, as its dead letter says";
                self.findings.mark(Kind::Altered, REJECTED, part, offset, detail);
            }
            What::Duplicate if item.contradicted => {
                self.parts[part].lost_letters.insert(at(offset));
                let detail = "conflicts with an accepted record, but is not a dead letter";
                self.findings.mark(Kind::Missing, REJECTED, part, offset, detail);
            }
            What::Duplicate => {
                self.parts[part].lost_rows.insert(at(offset));
                let detail = "the record is valid and no duplicate, but has no row";
                self.findings.mark(Kind::Missing, self.site_of(part), part, offset, detail);
            }
        }
    }
}
