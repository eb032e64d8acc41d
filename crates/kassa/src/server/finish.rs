//! The end of the service within its time.

use std::time::Instant;

use kassa_engine::deriver::Deriver;
use kassa_engine::engine::Stopped;
use kassa_model::Code;

use super::Service;
use crate::failure::Failure;

impl Service {
    /// Takes no more requests, commits what is left within the time for it, and stops.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.is_finishing = true;
        drop(self.proving.take());
        drop(self.follower.take());
        let is_served = self.http.is_some();
        self.http.take().map_or(Ok(()), |http| http.close(self.ending.quarters(1)))?;
        let left = self.left();
        let ended = if self.engine.is_some() { self.commit_rest() } else { self.unstarted() };
        if is_served {
            say!("stopped: {}", left.words());
        }
        ended
    }

    fn commit_rest(mut self) -> anyhow::Result<()> {
        let patience = self.ending.quarters(2);
        let until = Instant::now() + patience;
        self.engine(&|| true, |engine| {
            engine.hurry(patience);
            engine.catch_up_until(&|| Instant::now() >= until)
        })?;
        if let Some(engine) = self.engine.take() {
            let Stopped { memory, read, outcome, .. } = engine.stop();
            outcome?;
            if let Some((checkpoints, mut memory)) = self.checkpoints.take().zip(memory) {
                checkpoints.finish((&mut memory.stage, &memory.known, &read))?;
            }
        }
        self.deriver.map_or(Ok(()), Deriver::finish)
    }

    /// The pipeline has not started. That is a failure if something is away.
    fn unstarted(self) -> anyhow::Result<()> {
        let Some(away) = self.shown.standing.away() else { return Ok(()) };
        let failure = Failure::new(Code::StoreUnreachable, format!("stopped before the pipeline could start: {away}"));
        Err(failure.hint("nothing that was accepted is lost: the next start reads the collector's log").into())
    }
}
