//! Sessions of past days, packed: they hardly ever change, and are most of all sessions that there ever were.
//!
//! A pack has the sessions that begin on one day (UTC), sorted by id and time, as differences in as few bytes as they take: some 25 bytes a
//! session instead of 110. An event near one of them brings the day back ([`Packs::take_near`]).

use std::fmt;
use std::sync::Arc;

use kassa_model::time::DAY;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Mark, Session};
use crate::by_day::{ByDay, Days};
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

    /// Takes out the sessions of the days that have one near an event, so that it can join it.
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

/// Bytes that clones share.
#[derive(Debug, Clone, Default)]
struct Bytes(Arc<[u8]>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl Visitor<'_> for Take {
            type Value = Bytes;

            fn expecting(&self, words: &mut fmt::Formatter<'_>) -> fmt::Result {
                words.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.into()))
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes.into()))
            }
        }
        deserializer.deserialize_bytes(Take)
    }
}

/// The id and time that differences begin from.
const START: (i64, i64) = (i64::MIN, 0);

/// Sorted sessions, each as its differences from the one before and from its own first event.
fn encode(sessions: &[Known]) -> Vec<u8> {
    let (mut out, mut last) = (Vec::with_capacity(sessions.len() * 26), START);
    for (id, session) in sessions {
        write(&mut out, id.wrapping_sub(last.0));
        write(&mut out, zigzag(session.first_at.wrapping_sub(last.1)));
        write(&mut out, session.last_at.wrapping_sub(session.first_at));
        let viewed = session.viewed_at != i64::MAX;
        write(&mut out, if viewed { session.viewed_at.wrapping_sub(session.first_at).wrapping_add(1) } else { 0 });
        write(&mut out, i64::try_from(session.marks.len()).unwrap_or(i64::MAX));
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

/// What [`encode`] wrote; up to where the bytes make sense, which a checksum vouches for wherever they were stored.
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
    let first_at = last.1.wrapping_add(unzigzag(read(bytes)?));
    let last_at = first_at.wrapping_add(read(bytes)?);
    let viewed = read(bytes)?;
    let viewed_at = if viewed == 0 { i64::MAX } else { first_at.wrapping_add(viewed.wrapping_sub(1)) };
    let (count, mut before) = (read(bytes)?, first_at << 2);
    let mut marks = Vec::new();
    for _ in 0..count {
        before = before.wrapping_add(read(bytes)?);
        marks.push(Mark(before));
    }
    Some((id, Session { first_at, last_at, viewed_at, marks: marks.into_boxed_slice() }))
}

/// Small numbers of either sign as small numbers without one.
fn zigzag(number: i64) -> i64 {
    number << 1 ^ number >> 63
}

fn unzigzag(number: i64) -> i64 {
    (number.cast_unsigned() >> 1).cast_signed() ^ -(number & 1)
}

/// Seven bits a byte, the lowest first.
fn write(out: &mut Vec<u8>, number: i64) {
    let mut rest = number.cast_unsigned();
    while rest >= 0x80 {
        out.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.push(rest.to_le_bytes()[0]);
}

fn read(bytes: &mut &[u8]) -> Option<i64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number.cast_signed());
        }
    }
    None
}

#[cfg(test)]
mod tests;
