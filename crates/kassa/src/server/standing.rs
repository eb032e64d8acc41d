//! What a running program waits for, for those who watch.

use std::sync::{Arc, Mutex, PoisonError};

use crate::schemas::Patience;

#[derive(Debug)]
enum State {
    /// The part that is being opened, and the parts that are away, with the reason.
    Joining { opening: &'static str, away: Vec<(&'static str, String)> },
    /// The pipeline reads.
    Joined,
}

/// Whether the pipeline reads, or what holds it up.
#[derive(Debug)]
pub struct Standing {
    state: Mutex<State>,
    /// The wait for the schema registry.
    pub patience: Arc<Patience>,
}

impl Standing {
    pub fn new(patience: Arc<Patience>) -> Self {
        Self { state: Mutex::new(State::Joining { opening: "store", away: Vec::new() }), patience }
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// A part is being opened.
    pub fn opens(&self, part: &'static str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Joining { opening, .. } => *opening = part,
            State::Joined => *state = State::Joining { opening: part, away: Vec::new() },
        }
    }

    /// These parts are away now.
    pub fn waits(&self, away: Vec<(&'static str, String)>) {
        if let State::Joining { away: shown, .. } = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            *shown = away;
        }
    }

    pub fn joined(&self) {
        self.set(State::Joined);
    }

    pub fn has_joined(&self) -> bool {
        matches!(*self.state.lock().unwrap_or_else(PoisonError::into_inner), State::Joined)
    }

    /// The parts that are away, in words; `None`: nothing is known to be away.
    pub fn away(&self) -> Option<String> {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Joining { away, .. } if !away.is_empty() => Some(words(away)),
            State::Joining { .. } | State::Joined => None,
        }
    }

    /// What holds the pipeline up; `None`: nothing that is known here.
    pub fn trouble(&self) -> Option<String> {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Joining { opening, away } if away.is_empty() => Some(format!("starting: opening {}", the(opening))),
            State::Joining { away, .. } => Some(format!("starting: {}", words(away))),
            State::Joined => self.patience.why().map(|why| format!("the records wait for the schema registry: {why}")),
        }
    }
}

fn words(away: &[(&'static str, String)]) -> String {
    let each: Vec<String> = away.iter().map(|(part, why)| format!("{} is away: {why}", the(part))).collect();
    each.join("; ")
}

/// A part's name in a sentence.
fn the(part: &str) -> String {
    match part {
        "store" => "the store of the lake".to_owned(),
        "topics" => "Kafka".to_owned(),
        "pipeline" => "what the pipeline starts from".to_owned(),
        sink => format!("the {sink}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_that_is_away_is_named_until_the_pipeline_reads() {
        let standing = Standing::new(Arc::default());
        assert_eq!(standing.trouble().as_deref(), Some("starting: opening the store of the lake"));
        assert_eq!(standing.away(), None);
        standing.opens("warehouse");
        standing.waits(vec![("lake", "connection refused".to_owned()), ("warehouse", "timeout".to_owned())]);
        let words = "the lake is away: connection refused; the warehouse is away: timeout";
        assert_eq!(standing.away().as_deref(), Some(words));
        assert_eq!(standing.trouble(), Some(format!("starting: {words}")));
        assert!(!standing.has_joined());
        standing.joined();
        assert!(standing.has_joined() && standing.trouble().is_none() && standing.away().is_none());
        standing.opens("store");
        assert!(standing.trouble().is_some_and(|words| words.contains("the store of the lake")), "it joins again");
    }
}
