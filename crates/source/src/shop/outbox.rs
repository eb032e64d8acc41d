//! The exit of records, where faults are injected: some records are late, some are repeated, and
//! some get a malformed companion.
//!
//! ```text
//!  post ─► buffer ─┬─────────────────────────────► ready ─► take
//!                  └─► delayed (≤ 65,536 copies) ──────────► take
//! ```

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;

use kassa_model::time::{DAY, HOUR, SECOND};
use kassa_model::{Contract, Fate};

use super::json::{Drift, Json};
use super::ledger::Effect;
use super::rng::{Rng, mix, seed_of};
use super::spoil;

/// The limit of delayed copies. Beyond it, nothing is late or repeated.
const DELAYED_MAX: usize = 65_536;
/// The limit of faults that wait for a suitable record.
const OWED_MAX: u32 = 1_000;
const MINUTE: i64 = 60 * SECOND;

/// The rates of faults, in parts per million of all records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// Sent again, byte for byte, seconds to an hour later.
    pub duplicates_ppm: u32,
    /// Events, order lines and payments that arrive a minute to three days late.
    pub late_ppm: u32,
    /// Arrive seconds after records that happened after them.
    pub out_of_order_ppm: u32,
    /// Separate malformed records; in all streams except `fx_rates`, `products` and `customers`.
    pub malformed_ppm: u32,
    /// Written by a newer version of the producer; accepted.
    pub drifted_ppm: u32,
}

impl Faults {
    pub const NONE: Self = Self { duplicates_ppm: 0, late_ppm: 0, out_of_order_ppm: 0, malformed_ppm: 0, drifted_ppm: 0 };
}

impl Default for Faults {
    fn default() -> Self {
        Self { duplicates_ppm: 10_000, late_ppm: 20_000, out_of_order_ppm: 10_000, malformed_ppm: 5_000, drifted_ppm: 3_000 }
    }
}

/// The allowed delay of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pace {
    /// None: others are counted by it or need it first.
    Punctual,
    /// Seconds.
    Slips,
    /// Days.
    Strays,
}

/// A record to be written.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) contract: Contract,
    pub(super) at: i64,
    pub(super) pace: Pace,
    pub(super) effect: Effect,
}

#[derive(Debug)]
enum Bytes {
    Buffered(Range<usize>),
    Held(Box<[u8]>),
}

/// A record that is ready to leave.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) contract: Contract,
    pub(super) at: i64,
    pub(super) fate: Fate,
    pub(super) effect: Effect,
    bytes: Bytes,
}

#[derive(Debug)]
struct Delayed {
    due: i64,
    number: u64,
    parcel: Parcel,
}

impl PartialEq for Delayed {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Delayed {}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Delayed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

/// A kind of fault, and the number of records by which it is behind its rate.
#[derive(Debug)]
struct Fault {
    ppm: u32,
    owed: u32,
}

impl Fault {
    /// Whether this record gets the fault. If it may not, the next suitable record gets it.
    fn befalls(&mut self, may: bool, rng: &mut Rng) -> bool {
        self.owed = (self.owed + u32::from(rng.chance(self.ppm))).min(OWED_MAX);
        let befalls = may && self.owed > 0;
        self.owed -= u32::from(befalls);
        befalls
    }
}

#[derive(Debug)]
pub(super) struct Outbox {
    rng: Rng,
    duplicates: Fault,
    late: Fault,
    out_of_order: Fault,
    malformed: Fault,
    drifted: Fault,
    ids: u64,
    id_seed: u64,
    buffer: Vec<u8>,
    ready: VecDeque<Parcel>,
    delayed: BinaryHeap<Reverse<Delayed>>,
    delays: u64,
}

impl Outbox {
    pub(super) fn new(seed: u64, faults: Faults) -> Self {
        let fault = |ppm| Fault { ppm, owed: 0 };
        Self {
            rng: Rng::new(seed_of(seed, "outbox")),
            duplicates: fault(faults.duplicates_ppm),
            late: fault(faults.late_ppm),
            out_of_order: fault(faults.out_of_order_ppm),
            malformed: fault(faults.malformed_ppm),
            drifted: fault(faults.drifted_ppm),
            ids: 0,
            id_seed: seed_of(seed, "ids"),
            buffer: Vec::new(),
            ready: VecDeque::new(),
            delayed: BinaryHeap::new(),
            delays: 0,
        }
    }

    fn event_id(&mut self) -> u64 {
        self.ids += 1;
        mix(self.ids ^ self.id_seed)
    }

    /// Writes a record: its id and `occurred_at` first, then the fields of `write`. Chance decides
    /// about faults.
    pub(super) fn post(&mut self, post: Post, write: impl FnOnce(&mut Json<'_>)) {
        let from = self.buffer.len();
        let drift = match self.drifted.befalls(true, &mut self.rng) {
            true => self.rng.one_of(&[Drift::TextNumbers, Drift::EpochMillis, Drift::NewFields]),
            false => Drift::None,
        };
        let id = self.event_id();
        let mut json = Json::open(&mut self.buffer, id, drift);
        json.time("occurred_at", post.at);
        write(&mut json);
        json.close();
        let bytes = from..self.buffer.len();
        let Post { contract, at, pace, effect } = post;
        let is_reference = contract.is_reference();
        let broken = self.malformed.befalls(!is_reference, &mut self.rng).then(|| self.broken(contract, at, bytes.clone()));
        self.dispatch(Parcel { contract, at, fate: Fate::Accepted, effect, bytes: Bytes::Buffered(bytes) }, pace);
        self.ready.extend(broken);
    }

    fn dispatch(&mut self, parcel: Parcel, pace: Pace) {
        let room = self.delayed.len() < DELAYED_MAX;
        let slips = self.out_of_order.befalls(room && pace >= Pace::Slips, &mut self.rng);
        let strays = self.late.befalls(room && pace == Pace::Strays, &mut self.rng);
        let due = match (strays, slips) {
            (true, _) => parcel.at + self.straying(),
            (false, true) => parcel.at + self.rng.between(SECOND, 20 * SECOND),
            (false, false) => parcel.at,
        };
        if self.duplicates.befalls(room, &mut self.rng) {
            let again = due + MINUTE * 60 / (1 << self.rng.below(10)) - self.rng.between(0, SECOND);
            let bytes = Bytes::Held(self.bytes(&parcel).into());
            self.delay(again, Parcel { fate: Fate::Duplicate, effect: Effect::None, bytes, ..parcel });
        }
        if strays || slips {
            let bytes = Bytes::Held(self.bytes(&parcel).into());
            self.delay(due, Parcel { bytes, ..parcel });
        } else {
            self.ready.push_back(parcel);
        }
    }

    /// A delay of a minute to 68 hours, log-uniform; while many copies are delayed, at most about
    /// an hour.
    fn straying(&mut self) -> i64 {
        let doublings = if self.delayed.len() < DELAYED_MAX / 2 { 12 } else { 6 };
        let least = MINUTE << self.rng.below(doublings);
        let delay = least + self.rng.between(0, least - 1);
        debug_assert!(delay < 3 * DAY - HOUR);
        delay
    }

    fn broken(&mut self, contract: Contract, at: i64, bytes: Range<usize>) -> Parcel {
        let id = self.event_id();
        let bytes = spoil::spoiled(contract, &self.buffer[bytes], id, &mut self.rng);
        Parcel { contract, at, fate: Fate::DeadLetter, effect: Effect::None, bytes: Bytes::Held(bytes.into()) }
    }

    fn bytes<'a>(&'a self, parcel: &'a Parcel) -> &'a [u8] {
        match &parcel.bytes {
            Bytes::Buffered(range) => &self.buffer[range.clone()],
            Bytes::Held(bytes) => bytes,
        }
    }

    fn delay(&mut self, due: i64, parcel: Parcel) {
        self.delays += 1;
        self.delayed.push(Reverse(Delayed { due, number: self.delays, parcel }));
    }

    /// The next record that leaves before the next action at `next`; its bytes are appended to
    /// `out`.
    pub(super) fn take(&mut self, next: i64, out: &mut Vec<u8>) -> Option<Parcel> {
        if self.ready.is_empty() {
            self.buffer.clear();
            if self.delayed.peek().is_none_or(|Reverse(first)| first.due > next) {
                return None;
            }
        }
        let parcel = self.ready.pop_front().or_else(|| self.delayed.pop().map(|Reverse(delayed)| delayed.parcel))?;
        out.extend_from_slice(self.bytes(&parcel));
        Some(parcel)
    }

    /// Whether no record is ready to leave now; delayed copies may exist.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    pub(super) fn delayed(&self) -> usize {
        self.delayed.len()
    }
}
