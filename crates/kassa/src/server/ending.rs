//! The end of the program: a signal asks for it, and it takes limited time whatever a store does.
//!
//! ```text
//!  SIGTERM, SIGINT ─► takes no more requests (1/4 of the time) ─► reads on (until 1/2) ─► commits (a store that fails gets 1/2) ─► ends
//!        │ the whole time has passed, or a second signal
//!        └──► says what is not committed, and ends at once
//! ```
//!
//! Ending at once is a crash that is announced: what is not committed is read again at the next start. SIGHUP is ignored: there is no TLS
//! listener, and the certificates of the warehouse are read with each connection.

use std::io;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use kassa_engine::SinkHandle;
use kassa_engine::tracker::Tracker;
use kassa_model::{Code, Positions};
use tokio::signal::unix::{SignalKind, signal};

use super::standing::Standing;
use crate::failure::{self, Failure};
use crate::feed::{Mark, Marks};
use crate::sinks::LIVE;

/// The request to end, and how long that may take.
#[derive(Debug)]
pub struct Ending {
    stop: Arc<AtomicBool>,
    asked_at: OnceLock<Instant>,
    within: Duration,
}

impl Ending {
    pub fn new(stop: Arc<AtomicBool>, within: Duration) -> Self {
        Self { stop, asked_at: OnceLock::new(), within }
    }

    pub fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    pub fn is_asked(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn ask(&self) {
        self.asked_at.get_or_init(Instant::now);
        self.stop.store(true, Ordering::Release);
    }

    /// What is left of so many quarters of the time. The time begins with the signal, or with the first call.
    pub fn quarters(&self, quarters: u32) -> Duration {
        let elapsed = self.asked_at.get_or_init(Instant::now).elapsed();
        (self.within / 4 * quarters).saturating_sub(elapsed)
    }
}

/// What is not committed, as far as it is known without asking a store.
#[derive(Debug)]
pub struct Left {
    pub sinks: Vec<SinkHandle>,
    pub source: Arc<dyn Marks>,
    pub tracker: Arc<Tracker>,
    pub standing: Arc<Standing>,
    /// Whether the source is the collector's log: its records are this program's to read.
    pub is_log: bool,
}

impl Left {
    /// The sinks that lack records which were read, in words; `None`: all of them have committed everything.
    pub fn uncommitted(&self) -> Option<String> {
        if !self.standing.has_joined() {
            return self.standing.away();
        }
        let (marks, read) = (self.source.marks(), self.tracker.counted());
        let durable = self.sinks.iter().filter(|sink| sink.name != LIVE);
        let lacking = durable.filter_map(|sink| {
            let state = sink.state();
            let records = between(&marks, &state.committed, &read);
            let why = state.failed.or(state.waiting).map(|why| format!(" ({why})")).unwrap_or_default();
            (records > 0).then(|| format!("{}: {records}{why}", sink.name))
        });
        let lacking: Vec<String> = lacking.collect();
        (!lacking.is_empty()).then(|| format!("records that were read and not committed: {}", lacking.join(", ")))
    }

    /// Records of the collector's log that were not read.
    fn unread(&self) -> i64 {
        let (marks, read) = (self.source.marks(), self.tracker.counted());
        let of = |mark: &Mark| mark.end.map_or(0, |end| end - read.next(&mark.partition).max(mark.start.unwrap_or(0)));
        if self.is_log { marks.iter().map(of).map(|unread| unread.max(0)).sum() } else { 0 }
    }

    /// One line for the person who stopped it.
    pub fn words(&self) -> String {
        let again = "the next start reads them again";
        // What the sinks hold of the log is not known before.
        let most = if self.standing.has_joined() { "" } else { "up to " };
        match (self.uncommitted(), self.unread()) {
            (Some(what), 0) => format!("{what}; {again}"),
            (Some(what), unread) => format!("{what}; {most}{unread} records of the collector's log were not read; {again}"),
            (None, 0) => "every record that was accepted is committed".to_owned(),
            (None, unread) => format!("{most}{unread} records of the collector's log were not read; the next start reads them"),
        }
    }
}

/// Records between two positions, of these partitions.
fn between(marks: &[Mark], from: &Positions, to: &Positions) -> i64 {
    let of = |mark: &Mark| to.next(&mark.partition) - from.next(&mark.partition).max(mark.start.unwrap_or(0));
    marks.iter().map(of).map(|records| records.max(0)).sum()
}

/// Listens for signals on a thread of its own, which no store and no request can hold up.
pub fn watch(ending: Arc<Ending>, left: Left) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _entered = runtime.enter();
        Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        }
    };
    let work = move || {
        let why = runtime.block_on(async {
            signals.end().await;
            ending.ask();
            tokio::select! {
                () = signals.end() => "stopped at once by a second signal".to_owned(),
                () = tokio::time::sleep(ending.within) => format!("stopped after {} s, as server.stop_within says", ending.within.as_secs()),
            }
        });
        cut(&why, &left)
    };
    thread::Builder::new().name("signals".to_owned()).spawn(work).map(drop)
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    /// Returns with the next signal that asks for the end.
    async fn end(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => tracing::info!("SIGHUP is ignored: there is nothing to reload"),
            }
        }
    }
}

/// Ends the program without waiting for anybody.
fn cut(why: &str, left: &Left) -> ! {
    let Some(_) = left.uncommitted() else {
        say!("{why}: {}", left.words());
        exit(0);
    };
    let failure = Failure::new(Code::StoreUnreachable, format!("{why}: {}", left.words()));
    failure::report(
        &failure.hint("nothing that was accepted is lost; /readyz and the log say which store did not answer").into(),
    );
    exit(1);
}

#[cfg(test)]
mod tests {
    use kassa_engine::Tally;
    use kassa_model::time::SystemClock;
    use kassa_model::{Currency, Partition, Shop};

    use super::*;

    #[derive(Debug)]
    struct Source(Vec<Mark>);

    impl Marks for Source {
        fn marks(&self) -> Vec<Mark> {
            self.0.clone()
        }

        fn trouble(&self) -> Option<String> {
            None
        }
    }

    fn orders() -> Partition {
        Partition::new("orders", 0)
    }

    fn at(next: i64) -> Positions {
        [(orders(), next)].into_iter().collect()
    }

    /// The log of orders ends at 100 and was read up to `read`; lake and live have committed these.
    fn left(read: i64, (lake, live): (i64, i64)) -> Left {
        let shop = Shop::new("Shop", "Europe/London", Currency::parse("GBP").unwrap()).unwrap();
        let tracker = Tracker::new((Tally::default(), at(read)), shop.calendar(), Arc::new(SystemClock));
        let sinks = vec![SinkHandle::new("lake"), SinkHandle::new("live")];
        sinks[0].update(|state| state.committed = at(lake));
        sinks[1].update(|state| state.committed = at(live));
        let source = Arc::new(Source(vec![Mark { partition: orders(), start: Some(10), end: Some(100) }]));
        let standing = Arc::new(Standing::new(Arc::default()));
        standing.joined();
        Left { sinks, source, tracker: Arc::new(tracker), standing, is_log: true }
    }

    #[test]
    fn what_is_left_is_counted_from_what_the_sinks_have_committed() {
        let all = left(100, (100, 0));
        assert_eq!((all.uncommitted(), all.words().as_str()), (None, "every record that was accepted is committed"));
        let behind = left(100, (40, 100));
        assert_eq!(behind.words(), "records that were read and not committed: lake: 60; the next start reads them again");
        let unread = left(70, (70, 70));
        assert_eq!(unread.uncommitted(), None);
        assert_eq!(unread.words(), "30 records of the collector's log were not read; the next start reads them");
        let kafka = Left { is_log: false, ..left(70, (70, 70)) };
        assert_eq!(kafka.words(), "every record that was accepted is committed");
        // What retention has deleted is nobody's to read.
        assert_eq!(left(0, (0, 0)).words(), "90 records of the collector's log were not read; the next start reads them");
    }

    #[test]
    fn a_sink_that_lacks_records_says_what_its_store_answered() {
        let behind = left(100, (40, 100));
        behind.sinks[0].update(|state| state.waiting = Some("disk full".to_owned()));
        assert_eq!(behind.uncommitted().as_deref(), Some("records that were read and not committed: lake: 60 (disk full)"));
    }

    #[test]
    fn before_the_pipeline_reads_the_store_that_is_away_is_named() {
        let away = Left { standing: Arc::new(Standing::new(Arc::default())), ..left(0, (0, 0)) };
        assert_eq!(away.uncommitted(), None, "nothing is known to be missing");
        away.standing.waits(vec![("warehouse", "connection refused".to_owned())]);
        let words = away.words();
        assert!(words.contains("the warehouse is away: connection refused") && words.contains("90 records"), "{words}");
    }

    #[test]
    fn the_time_begins_with_the_request_and_is_shared_by_all_steps() {
        let ending = Ending::new(Arc::default(), Duration::from_secs(40));
        assert!(!ending.is_asked());
        ending.ask();
        assert!(ending.is_asked() && ending.stop().load(Ordering::Acquire));
        let (half, most) = (ending.quarters(2), ending.quarters(3));
        assert!(half <= Duration::from_secs(20) && half > Duration::from_secs(10), "{half:?}");
        assert!(most > half && most <= Duration::from_secs(30), "{most:?}");
        assert_eq!(Ending::new(Arc::default(), Duration::ZERO).quarters(3), Duration::ZERO);
    }
}
