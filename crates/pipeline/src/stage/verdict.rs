//! The collector's verdict: what a record would be refused for before it is compared with others.

use jiff::tz::TimeZone;
use kassa_model::DeadLetter;

use super::{Stage, StageError, Stream, allowed};
use crate::decode::Payload;
use crate::decode::avro::Known;
use crate::formats::{self, Input, Judge, Values};

impl Stage {
    /// What a record would be refused for, before it is compared with others: the collector's verdict. `None`: nothing, or, of an
    /// Avro record whose schema no other record has brought yet, that it cannot be told.
    pub fn verdict(&self, topic: &str, value: &[u8]) -> Result<Option<DeadLetter>, StageError> {
        let stream = self.streams.get(topic).ok_or_else(|| StageError::UnknownTopic(topic.to_owned()))?;
        let known =
            if formats::is_framed(stream.format) { self.plans.held(stream.contract, value) } else { Some(Known::default()) };
        let Some(plans) = known else { return Ok(formats::within_limit(stream, value).err()) };
        let zone = self.memory.calendar.zone();
        let mut verdict = Verdict { stream, zone, letter: None };
        formats::read(Input { stream, zone, values: Values::One(value), plans: &plans }, 0..1, &mut verdict)?;
        Ok(verdict.letter)
    }
}

/// Holds one record against its contract.
struct Verdict<'s> {
    stream: &'s Stream,
    zone: &'s TimeZone,
    letter: Option<DeadLetter>,
}

impl Judge for Verdict<'_> {
    fn take<'p>(
        &mut self,
        count: usize,
        mut fill: impl FnMut(usize, &mut Payload<'p>) -> (usize, Result<(), DeadLetter>),
    ) -> Result<(), StageError> {
        for nth in 0..count {
            let mut payload = Payload::new(&self.stream.layout);
            let read = fill(nth, &mut payload).1;
            self.letter = read.and_then(|()| allowed(self.stream, &payload, self.zone)).err();
        }
        Ok(())
    }

    fn reject(&mut self, _: usize, letter: &DeadLetter) {
        self.letter = Some(letter.clone());
    }

    fn pass(&mut self, _: usize) {}
}
