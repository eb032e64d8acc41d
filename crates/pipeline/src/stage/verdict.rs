//! The collector's verdict: why a record would be refused, before it is compared with others.

use jiff::tz::TimeZone;
use kassa_model::DeadLetter;

use super::{Stage, StageError, Stream, allowed};
use crate::decode::Payload;
use crate::decode::avro::Known;
use crate::formats::{self, Input, Judge, Values};

impl Stage {
    /// The reason why a record would be refused, before it is compared with others. `None` if the record is valid, or if its Avro
    /// schema is not loaded yet.
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

/// Validates one record.
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
