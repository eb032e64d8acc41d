//! The partitions of a proof and the state of their offsets, one bit each.

use std::collections::{BTreeMap, HashMap};
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use kassa_model::{Partition, Span, Table};
use roaring::RoaringTreemap;

#[derive(Debug)]
pub(super) struct Part {
    pub(super) partition: Partition,
    /// Everything before this is accounted for and archived; everything beyond may be in progress.
    pub(super) cut: i64,
    /// The positions of the spans and of the archive.
    pub(super) accounted: i64,
    pub(super) archived_to: i64,
    /// The offset after the last row of each table.
    pub(super) ends: BTreeMap<Table, i64>,
    pub(super) spans: Vec<Span>,
    /// Archived offsets, and those archived more than once.
    pub(super) archived: RoaringTreemap,
    pub(super) doubled: RoaringTreemap,
    /// Offsets whose bytes in the log have been read.
    pub(super) logged: RoaringTreemap,
    /// Offsets with their own row in the primary table.
    pub(super) accepted: RoaringTreemap,
    /// Offsets with a dead letter, and of letters that were accepted later.
    pub(super) letters: RoaringTreemap,
    pub(super) replayed: RoaringTreemap,
    /// Offsets with the first row of some dimension's members.
    pub(super) creators: RoaringTreemap,
    /// Lines of orders that the ledger got from their order.
    pub(super) lines: RowSet,
    /// Rows without a value in a column that was added to their table later, by table and column
    /// number.
    pub(super) bare: BTreeMap<(Table, usize), RowSet>,
    /// By the bytes: accepted but without a row; rejected but without a letter.
    pub(super) lost_rows: RoaringTreemap,
    pub(super) lost_letters: RoaringTreemap,
}

impl Part {
    fn new(partition: Partition) -> Self {
        Self {
            partition,
            cut: 0,
            accounted: 0,
            archived_to: 0,
            ends: BTreeMap::new(),
            spans: Vec::new(),
            archived: RoaringTreemap::new(),
            doubled: RoaringTreemap::new(),
            logged: RoaringTreemap::new(),
            accepted: RoaringTreemap::new(),
            letters: RoaringTreemap::new(),
            replayed: RoaringTreemap::new(),
            creators: RoaringTreemap::new(),
            lines: RowSet::default(),
            bare: BTreeMap::new(),
            lost_rows: RoaringTreemap::new(),
            lost_letters: RoaringTreemap::new(),
        }
    }

    /// Whether the rows of this offset can be compared with its record.
    pub(super) fn is_comparable(&self, offset: i64) -> bool {
        offset < self.cut && self.archived.contains(at(offset)) && !self.doubled.contains(at(offset))
    }
}

/// An offset as a member of the sets.
pub(super) fn at(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}

/// Rows by offset and index in the record. There is one set of offsets per index. As most records
/// have few rows, each set is dense, and a row takes one bit or two bytes.
#[derive(Debug, Default)]
pub(super) struct RowSet(BTreeMap<i32, RoaringTreemap>);

impl RowSet {
    pub(super) fn insert(&mut self, (offset, place): (i64, i32)) {
        self.0.entry(place).or_default().insert(at(offset));
    }

    pub(super) fn contains(&self, (offset, place): (i64, i32)) -> bool {
        self.0.get(&place).is_some_and(|offsets| offsets.contains(at(offset)))
    }
}

/// Partitions by number, and numbers by partition.
#[derive(Debug, Default)]
pub(super) struct Parts {
    held: Vec<Part>,
    numbers: HashMap<Arc<str>, HashMap<i64, u32>>,
    last: u32,
}

impl Parts {
    /// The number of a partition; new partitions get the next number.
    pub(super) fn number(&mut self, topic: &str, number: i64) -> u32 {
        if let Some(last) = self.held.get(index(self.last))
            && last.partition.number == number
            && *last.partition.topic == *topic
        {
            return self.last;
        }
        self.last = match self.numbers.get(topic).and_then(|numbers| numbers.get(&number)) {
            Some(known) => *known,
            None => self.add(topic, number),
        };
        self.last
    }

    fn add(&mut self, topic: &str, number: i64) -> u32 {
        let topic: Arc<str> = self.numbers.get_key_value(topic).map_or_else(|| topic.into(), |(known, _)| Arc::clone(known));
        let next = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
        self.numbers.entry(Arc::clone(&topic)).or_default().insert(number, next);
        self.held.push(Part::new(Partition { topic, number }));
        next
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> + use<> {
        0..u32::try_from(self.held.len()).unwrap_or(u32::MAX)
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Index<u32> for Parts {
    type Output = Part;

    fn index(&self, number: u32) -> &Part {
        &self.held[index(number)]
    }
}

impl IndexMut<u32> for Parts {
    fn index_mut(&mut self, number: u32) -> &mut Part {
        &mut self.held[index(number)]
    }
}
