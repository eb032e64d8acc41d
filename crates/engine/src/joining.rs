//! The start of a pipeline whose stores may be away, as a state machine: no thread, no sleep.
//!
//! ```text
//!  phase 1         phase 2                         phase 3
//!  store ──open──► archive, lake, warehouse ─open─► pipeline ─► joined
//!    ▲
//!    └─ away: tried again after 0.1 s … 5 s, each part at its own pace. Any other error ends the start.
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::ticks::Ticks;

/// A part that is away is tried again after the first of these, then after twice as long, up to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What a pipeline opens before it reads.
pub trait Opening {
    /// The names of the parts, by phase. The parts of a phase do not depend on each other; a phase begins when all parts of the one before
    /// are open.
    fn phases(&self) -> Vec<Vec<&'static str>>;

    /// Opens a part. It is called again later if the part is away.
    fn open(&mut self, part: &'static str) -> anyhow::Result<()>;

    /// Whether an error says that something does not answer now, which can pass by itself.
    fn is_away(&self, error: &anyhow::Error) -> bool;
}

/// What the start needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Another step at this time: a part is away.
    Wait(Duration),
    /// Nothing: all parts are open.
    Joined,
}

#[derive(Debug)]
struct Part {
    name: &'static str,
    /// When it is tried next.
    at: Duration,
    pause: Duration,
    /// Since when it has been away, and why it was away at the last try.
    away: Option<(Duration, String)>,
    is_open: bool,
}

/// A start at work.
pub struct Joining<O> {
    opening: O,
    /// The phases that are not complete.
    phases: VecDeque<Vec<Part>>,
    ticks: Arc<dyn Ticks>,
    /// How long one part may be away; `None`: as long as it is.
    patience: Option<Duration>,
}

impl<O: fmt::Debug> fmt::Debug for Joining<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joining").field("opening", &self.opening).field("phases", &self.phases).finish_non_exhaustive()
    }
}

impl<O: Opening> Joining<O> {
    pub fn new(opening: O, ticks: Arc<dyn Ticks>, patience: Option<Duration>) -> Self {
        let part = |name| Part { name, at: Duration::ZERO, pause: RETRY.0, away: None, is_open: false };
        let phases = opening.phases().into_iter().map(|names| names.into_iter().map(part).collect()).collect();
        Self { opening, phases, ticks, patience }
    }

    /// Tries every part that is due.
    ///
    /// # Errors
    /// The first error of a part that cannot pass by itself, or that has not passed within the patience.
    pub fn step(&mut self) -> anyhow::Result<Step> {
        let Self { opening, phases, ticks, patience } = self;
        while let Some(phase) = phases.front_mut() {
            for part in phase.iter_mut() {
                part.attempt(opening, ticks.as_ref(), *patience)?;
            }
            phase.retain(|part| !part.is_open);
            if let Some(until) = phase.iter().map(|part| part.at).min() {
                return Ok(Step::Wait(until));
            }
            phases.pop_front();
        }
        Ok(Step::Joined)
    }

    /// The parts that are away, and why.
    pub fn away(&self) -> Vec<(&'static str, String)> {
        let parts = self.phases.front().into_iter().flatten();
        parts.filter_map(|part| Some((part.name, part.away.as_ref()?.1.clone()))).collect()
    }

    /// What was opened.
    pub fn into_opening(self) -> O {
        self.opening
    }
}

impl Part {
    fn attempt(&mut self, opening: &mut impl Opening, ticks: &dyn Ticks, patience: Option<Duration>) -> anyhow::Result<()> {
        if ticks.now() < self.at {
            return Ok(());
        }
        let Err(error) = opening.open(self.name) else {
            if self.away.is_some() {
                tracing::info!(part = self.name, "it answers again");
            }
            self.is_open = true;
            return Ok(());
        };
        let now = ticks.now();
        let since = self.away.as_ref().map_or(now, |(since, _)| *since);
        if !opening.is_away(&error) || patience.is_some_and(|patience| now - since >= patience) {
            return Err(error);
        }
        let why = format!("{error:#}");
        tracing::warn!(part = self.name, why, pause = ?self.pause, "it does not answer; trying again");
        self.away = Some((since, why));
        self.at = now + self.pause;
        self.pause = (self.pause * 2).min(RETRY.1);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
