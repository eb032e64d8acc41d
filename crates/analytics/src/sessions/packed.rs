//! Sessions of past days, packed: they hardly ever change, and are most of all sessions.
//!
//! A pack contains the sessions that begin on one day (UTC), sorted by id and time, encoded as differences: some 20 bytes per
//! session instead of 110. An event near one of them unpacks the day ([`Packs::take_near`]).

use kassa_model::time::DAY;
use serde::{Deserialize, Serialize};

use super::{Mark, Session};
use crate::by_day::{ByDay, Days};
use crate::shared::Bytes;
use crate::varint::{read, read_scaled, write, write_scaled};
use crate::visits::SILENCE;

/// The day (UTC) that a session begins on, since 1970.
fn day_of(at: i64) -> i32 {
    i32::try_from(at.div_euclid(DAY)).unwrap_or(if at < 0 { i32::MIN } else { i32::MAX })
}

/// A session and its id.
pub(super) type Known = (i64, Session);

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Packs {
    days: ByDay<Pack>,
    /// No packed session has an event after this.
    reach: Option<i64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Pack {
    /// The last event of its sessions.
    reach: i64,
    sessions: Bytes,
}

impl Packs {
    /// Adds sessions to the packs of their days.
    pub(super) fn add(&mut self, mut sessions: Vec<Known>) {
        sessions.sort_unstable_by_key(|(_, session)| session.first_at);
        self.reach = self.reach.max(sessions.iter().map(|(_, session)| session.last_at).max());
        while let Some((_, first)) = sessions.first() {
            let day = day_of(first.first_at);
            let rest = sessions.split_off(sessions.partition_point(|(_, session)| day_of(session.first_at) <= day));
            let pack = self.days.at(day);
            let mut all = decode(&pack.sessions.0);
            all.append(&mut sessions);
            *pack = Pack::of(all);
            sessions = rest;
        }
    }

    /// Whether an event at this time may be near a packed session.
    pub(super) fn reach(&self, at: i64) -> bool {
        self.reach.is_some_and(|reach| at.saturating_sub(reach) < SILENCE)
    }

    /// Removes and returns the sessions of the days that have one near an event, so that it can join it.
    pub(super) fn take_near(&mut self, at: i64) -> Vec<Known> {
        let until = Days { from: i32::MIN, to: day_of(at.saturating_add(SILENCE)) };
        let is_near = |pack: &Pack| at.saturating_sub(pack.reach) < SILENCE;
        let near: Vec<i32> = self.days.range(until).filter(|(_, pack)| is_near(pack)).map(|(day, _)| day).collect();
        near.into_iter().filter_map(|day| self.days.remove(day)).flat_map(|pack| decode(&pack.sessions.0)).collect()
    }

    /// Whether a session of these days may have its last event after `time`.
    pub(super) fn go_on(&self, begun: &std::ops::Range<i64>, time: i64) -> bool {
        let days = Days { from: day_of(begun.start), to: day_of(begun.end) };
        self.days.range(days).any(|(_, pack)| pack.reach > time)
    }

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        self.days.range(Days::ALL).map(|(_, pack)| size_of::<(i32, Pack)>() + pack.sessions.0.len()).sum()
    }
}

impl Pack {
    fn of(mut sessions: Vec<Known>) -> Self {
        sessions.sort_unstable_by_key(|(id, session)| (*id, session.first_at));
        let reach = sessions.iter().map(|(_, session)| session.last_at).max().unwrap_or(i64::MIN);
        Self { reach, sessions: Bytes(encode(&sessions).into()) }
    }
}

/// Most sources write times to the millisecond.
const MILLISECOND: i64 = 1_000;

/// The id and time of the first difference.
const START: (i64, i64) = (i64::MIN, 0);

/// Sorted sessions, each as its differences from the one before and from its own first event.
fn encode(sessions: &[Known]) -> Vec<u8> {
    let (mut out, mut last) = (Vec::with_capacity(sessions.len() * 26), START);
    for (id, session) in sessions {
        write(&mut out, id.wrapping_sub(last.0));
        write_scaled(&mut out, session.first_at.wrapping_sub(last.1), MILLISECOND);
        write_scaled(&mut out, session.last_at.wrapping_sub(session.first_at), MILLISECOND);
        let viewed = session.viewed_at != i64::MAX;
        write(&mut out, i64::try_from(session.marks.len()).unwrap_or(0) << 1 | i64::from(viewed));
        if viewed {
            write_scaled(&mut out, session.viewed_at.wrapping_sub(session.first_at), MILLISECOND);
        }
        let mut before = session.first_at << 2;
        for mark in &session.marks {
            write(&mut out, mark.0.wrapping_sub(before));
            before = mark.0;
        }
        last = (*id, session.first_at);
    }
    out.shrink_to_fit();
    out
}

/// Decodes the output of [`encode`], up to the first invalid byte; a checksum protects the bytes wherever they are stored.
fn decode(mut bytes: &[u8]) -> Vec<Known> {
    let (mut sessions, mut last) = (Vec::new(), START);
    while let Some((id, session)) = read_session(&mut bytes, last) {
        last = (id, session.first_at);
        sessions.push((id, session));
    }
    debug_assert!(bytes.is_empty(), "a pack holds whole sessions");
    sessions
}

fn read_session(bytes: &mut &[u8], last: (i64, i64)) -> Option<Known> {
    let id = last.0.wrapping_add(read(bytes)?);
    let first_at = last.1.wrapping_add(read_scaled(bytes, MILLISECOND)?);
    let last_at = first_at.wrapping_add(read_scaled(bytes, MILLISECOND)?);
    let head = read(bytes)?;
    let viewed_at = if head & 1 == 0 { i64::MAX } else { first_at.wrapping_add(read_scaled(bytes, MILLISECOND)?) };
    let (mut marks, mut before) = (Vec::new(), first_at << 2);
    for _ in 0..head >> 1 {
        before = before.wrapping_add(read(bytes)?);
        marks.push(Mark(before));
    }
    Some((id, Session { first_at, last_at, viewed_at, marks: marks.into_boxed_slice() }))
}

#[cfg(test)]
mod tests;
