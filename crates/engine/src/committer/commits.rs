//! The durations of a sink's commits.

use std::collections::VecDeque;
use std::time::Duration;

/// Commits that are remembered.
const RECENT: usize = 100;

/// The durations of the latest commits: from the first try to the store's answer, including retries.
#[derive(Debug, Clone, Default)]
pub struct Commits(VecDeque<Duration>);

impl Commits {
    pub fn took(&mut self, duration: Duration) {
        if self.0.len() == RECENT {
            self.0.pop_front();
        }
        self.0.push_back(duration);
    }

    pub fn last(&self) -> Option<Duration> {
        self.0.back().copied()
    }

    /// Of the last hundred.
    pub fn slowest(&self) -> Option<Duration> {
        self.0.iter().max().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_is_forgotten_after_a_hundred_commits_more() {
        let ms = Duration::from_millis;
        let mut commits = Commits::default();
        assert_eq!((commits.last(), commits.slowest()), (None, None));
        commits.took(ms(900));
        (0..99).for_each(|_| commits.took(ms(3)));
        assert_eq!((commits.last(), commits.slowest()), (Some(ms(3)), Some(ms(900))));
        commits.took(ms(4));
        assert_eq!((commits.last(), commits.slowest()), (Some(ms(4)), Some(ms(4))));
    }
}
