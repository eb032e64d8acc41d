//! Copies the output of a query's process to stdout, and knows how long it has waited for the reader: a pager that shows the first screen
//! must not end the query.

use std::io::{self, Read, Write};
use std::process::ChildStdout;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A write that takes longer waits for its reader.
const WAITS: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
struct State {
    waited: Duration,
    /// Since when a write is under way.
    since: Option<Instant>,
    failed: bool,
}

#[derive(Debug)]
pub(super) struct Pump {
    state: Arc<Mutex<State>>,
    thread: JoinHandle<io::Result<()>>,
}

impl Pump {
    pub(super) fn start(from: ChildStdout) -> Self {
        Self::between(from, io::stdout())
    }

    fn between(from: impl Read + Send + 'static, to: impl Write + Send + 'static) -> Self {
        let state = Arc::<Mutex<State>>::default();
        let seen = Arc::clone(&state);
        let thread = thread::spawn(move || {
            let copied = copy(from, to, &seen);
            lock(&seen).failed = copied.is_err();
            copied
        });
        Self { state, thread }
    }

    /// The output cannot be written any more.
    pub(super) fn has_failed(&self) -> bool {
        lock(&self.state).failed
    }

    /// How long writes have waited for the reader until now.
    pub(super) fn waited(&self) -> Duration {
        let state = lock(&self.state);
        state.waited + state.since.map_or(Duration::ZERO, |since| long(since.elapsed()))
    }

    /// Waits for the end of the output. A closed reader (`| head`) is not a failure.
    pub(super) fn result(self) -> anyhow::Result<()> {
        match self.thread.join().unwrap_or(Ok(())) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => Ok(result?),
        }
    }
}

fn copy(mut from: impl Read, mut to: impl Write, state: &Mutex<State>) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        lock(state).since = Some(Instant::now());
        let written = to.write_all(&buffer[..read]).and_then(|()| to.flush());
        let mut state = lock(state);
        let waited = state.since.take().map_or(Duration::ZERO, |since| long(since.elapsed()));
        state.waited += waited;
        drop(state);
        written?;
    }
}

fn long(write: Duration) -> Duration {
    if write > WAITS { write } else { Duration::ZERO }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Slow(Duration);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            thread::sleep(self.0);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_long_waits_stop_the_clock() {
        for (each, counts) in [(Duration::from_millis(150), true), (Duration::ZERO, false)] {
            let pump = Pump::between(io::repeat(b'x').take(200_000), Slow(each));
            while !pump.thread.is_finished() {
                thread::sleep(Duration::from_millis(5));
            }
            // Four buffers.
            assert_eq!(pump.waited() >= each * 4 && counts, counts);
            assert_eq!(pump.waited() == Duration::ZERO, !counts);
            assert!(!pump.has_failed());
            pump.result().unwrap();
        }
    }

    struct Closed(io::ErrorKind);

    impl Write for Closed {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_reader_ends_quietly_and_a_full_disk_does_not() {
        for (kind, is_quiet) in [(io::ErrorKind::BrokenPipe, true), (io::ErrorKind::StorageFull, false)] {
            let pump = Pump::between(io::repeat(b'x'), Closed(kind));
            while !pump.has_failed() {
                thread::sleep(Duration::from_millis(5));
            }
            assert_eq!(pump.result().is_ok(), is_quiet);
        }
    }
}
