//! Events outside their window are evicted, and no verdict changes by it.

use kassa_model::time::{DAY, HOUR, SECOND};

use super::super::reading::QUIET;
use super::*;

/// 2026-01-05.
const START: i64 = 1_767_614_400_000_000;
const MINUTE: i64 = 60 * SECOND;

#[test]
fn each_contract_has_its_own_window() {
    let mut index = with_stock(Index::new(&options(1 << 30, None)).unwrap());
    let partition = index.partition(&Partition::new("t", 0)).unwrap();
    let at = |offset, step: i64| Row { ingested_at: START + step * STEP, ..row(partition, offset) };
    for (class, window) in [(EVENT, WINDOW), (STOCK, STOCK_WINDOW)] {
        assert_eq!(index.decide(&ids([1]), class, &at(0, 0)).unwrap(), Verdict::New, "classes share no keys");
        let inside = index.decide(&ids([1]), class, &at(1, window / STEP)).unwrap();
        assert_eq!(inside, Verdict::Duplicate { partition, offset: 0 });
        assert_eq!(index.decide(&ids([1]), class, &at(2, window / STEP + 2)).unwrap(), Verdict::New);
    }
    assert_eq!((index.stats().event_keys, index.stats().money_keys), (4, 0));
}

#[test]
fn a_late_event_counts_as_ingested_at_the_horizon() {
    let (mut index, partition) = roomy();
    let at = |offset, step: i64| Row { ingested_at: step * STEP, ..row(partition, offset) };
    index.decide(&ids([1]), EVENT, &at(0, 1_000)).unwrap();
    index.forget_before(2_000 * STEP);
    assert_eq!(index.decide(&ids([1]), EVENT, &at(1, 1_001)).unwrap(), Verdict::New, "what could tell was evicted");
    assert_eq!(index.decide(&ids([1]), EVENT, &at(2, 1_500)).unwrap(), Verdict::Duplicate { partition, offset: 1 });
    assert_eq!(index.stats().late, 2);
    assert_eq!(index.decide(&ids([1]), EVENT, &at(1, 1_001)).unwrap(), Verdict::Winner, "read again, it is accepted again");
    assert_eq!(index.decide(&ids([1]), EVENT, &at(3, 2_010)).unwrap(), Verdict::Duplicate { partition, offset: 1 });
    assert_eq!(index.decide(&ids([1]), EVENT, &at(4, 2_022)).unwrap(), Verdict::New);
    assert_eq!(index.stats().late, 2, "the others came in time");
    index.decide(&ids([1]), Class::Money, &at(0, 0)).unwrap();
    assert_eq!(index.stats().late, 2, "money is never late");
}

#[test]
fn rows_of_the_past_that_are_remembered_do_not_become_recent() {
    let (mut index, partition) = roomy();
    index.forget_before(2_000 * STEP);
    let at = |offset, step: i64| Row { ingested_at: step * STEP, ..row(partition, offset) };
    index.remember(id(1), EVENT, &at(0, 100)).unwrap();
    assert_eq!(index.decide(&ids([1]), EVENT, &at(1, 2_001)).unwrap(), Verdict::New);
}

/// Late rows read after the last checkpoint, of which the sinks hold the accepted one: the next start decides as the last one
/// did.
#[test]
fn a_late_event_counts_as_ingested_at_the_horizon_after_a_restart_too() {
    let dir = TempDir::new().unwrap();
    let options = options(1 << 30, Some(&dir));
    let mut index = Index::new(&options).unwrap();
    index.record(false);
    let partition = index.partition(&Partition::new("clicks", 0)).unwrap();
    index.forget_before(2_000 * STEP);
    let mut checkpoint = Checkpoint::default();
    checkpoint.publish(&mut index);
    let at = |offset, step: i64| Row { ingested_at: step * STEP, ..row(partition, offset) };
    let decide = |index: &mut Index| {
        let rows = [at(0, 1_001), at(1, 1_002), at(2, 2_010), at(3, 2_022)];
        rows.map(|row| index.decide(&ids([1]), EVENT, &row).unwrap().is_accepted())
    };
    assert_eq!(decide(&mut index), [true, false, false, true]);
    let mut index = checkpoint.load(&options).unwrap();
    index.remember_since(id(1), EVENT, &at(0, 1_001)).unwrap();
    assert_eq!(decide(&mut index), [true, false, false, true]);
}

/// Of 50 windows of events, some four are held at once; all money is.
#[test]
fn fifty_windows_of_events_fill_neither_memory_nor_disk() {
    const EVENTS: i64 = 100_000;
    const A_DAY: u64 = 2_000;
    let dir = TempDir::new().unwrap();
    let memory_bytes = 85 << 10;
    let options = IndexOptions { event_window_us: DAY, ..options(memory_bytes, Some(&dir)) };
    let mut index = Index::new(&options).unwrap().with_windows([(Contract::Inventory, 3 * DAY)]);
    let [clicks, stock] = ["clicks", "stock"].map(|topic| index.partition(&Partition::new(topic, 0)).unwrap());
    index.evict_from(START);
    for n in 0..EVENTS {
        let ingested_at = START + n * (50 * DAY / EVENTS);
        let ids = ids([n.cast_unsigned()]);
        index.decide(&ids, EVENT, &Row { ingested_at, ..row(clicks, n) }).unwrap();
        if n % 10 == 0 {
            index.decide(&ids, STOCK, &Row { ingested_at, ..row(stock, n) }).unwrap();
            index.decide(&ids, Class::Money, &Row { ingested_at, ..row(stock, n) }).unwrap();
        }
        if n % 100 == 0 {
            index.has_read(clicks, ingested_at, ingested_at);
            index.has_read(stock, ingested_at, ingested_at);
        }
        if n % 1_000 == 0 {
            let stats = index.stats();
            assert!(index.classes[1].len() <= 4 * A_DAY, "after {n}: {} clicks of one day each", index.classes[1].len());
            assert!(index.classes[2].len() <= 24 * A_DAY / 10, "after {n}: {} of stock, with three days", index.classes[2].len());
            assert!(index.classes[1].disk_bytes() <= 2 * 4 * A_DAY * 26, "after {n}: {stats:?}");
            assert!(stats.tables_bytes <= memory_bytes + (16 << 10), "after {n}: {stats:?}");
            assert!(stats.filters_bytes <= 128 << 10, "after {n}: {stats:?}");
            assert_eq!(stats.memory_bytes, stats.tables_bytes + stats.filters_bytes);
        }
    }
    let stats = index.stats();
    assert_eq!((stats.money_keys, stats.late), (EVENTS.cast_unsigned() / 10, 0));
    assert!(run_files(&dir) <= stats.runs + CLASSES.len(), "what was evicted leaves the disk");
}

/// A rebuild reads one partition after the other, and does not evict.
#[test]
fn nothing_is_evicted_before_every_partition_was_read() {
    let (mut index, partition) = roomy();
    let read = |index: &mut Index, n: i64, now: i64| {
        let ingested_at = START + n * DAY;
        index.decide(&ids([n.cast_unsigned()]), EVENT, &Row { ingested_at, ..row(partition, n) }).unwrap();
        index.has_read(partition, ingested_at, now);
    };
    (0..100).for_each(|n| read(&mut index, n, START + 200 * DAY));
    assert_eq!(index.classes[1].floor, 0, "it was not asked to evict");
    index.evict_from(START + 200 * DAY);
    let minutes = QUIET / MINUTE;
    (1..minutes).for_each(|minute| read(&mut index, 100 + minute, START + 200 * DAY + minute * MINUTE));
    assert_eq!(index.classes[1].floor, 0, "others may not have been read yet");
    read(&mut index, 100 + minutes, START + 200 * DAY + QUIET);
    assert_eq!(index.classes[1].floor, steps(START + (100 + minutes) * DAY) - steps(HOUR));
    let before = index.classes[1].floor;
    index.evict_nothing();
    read(&mut index, 190, START + 300 * DAY);
    assert_eq!(index.classes[1].floor, before);
}

/// The clock was 400 days ahead for a quarter of an hour.
#[test]
fn a_horizon_ahead_of_the_clock_is_given_up() {
    let (mut index, partition) = roomy();
    let read = |index: &mut Index, n: i64, at: i64| {
        index.decide(&ids([n.cast_unsigned()]), EVENT, &Row { ingested_at: at, ..row(partition, n) }).unwrap();
        index.has_read(partition, at, at);
    };
    let ahead = START + 400 * DAY;
    index.evict_from(ahead);
    (1..=15).for_each(|minute| read(&mut index, minute, ahead + minute * MINUTE));
    assert!(index.classes[1].floor > steps(ahead - 2 * HOUR), "{}", index.classes[1].floor);
    index.has_read(partition, START, START);
    assert_eq!(index.classes[1].floor, 0);
    (1..=15).for_each(|minute| read(&mut index, 100 + minute, START + minute * MINUTE));
    assert_eq!(index.classes[1].floor, steps(START + 15 * MINUTE) - steps(HOUR));
    assert_eq!(index.stats().late, 0);
}

/// An event as it is read.
#[derive(Debug, Clone, Copy)]
struct Event {
    class: Class,
    key: u64,
    row: Row,
    now: i64,
}

const LONG: i64 = 300 * STEP;
const SHORT: i64 = 100 * STEP;

fn long_and_short(index: Index) -> Index {
    index.with_windows([(Contract::Event, LONG), (Contract::Inventory, SHORT)])
}

/// A backlog of three partitions, read in turn. Each time is a number of steps after the latest of its partition, less a random
/// amount, like times that producers set.
fn events(partitions: &[PartitionId], read: &[(i64, i64, u64, bool)]) -> Vec<Event> {
    let mut reached = [START; 3];
    let event = |(n, (later, back, key, is_stock)): (usize, &(i64, i64, u64, bool))| {
        let at = n % 3;
        reached[at] += later * STEP;
        let row = Row { ingested_at: reached[at] - back * STEP, ..row(partitions[at], n as i64) };
        let class = if *is_stock { STOCK } else { EVENT };
        Event { class, key: *key, row, now: START + 10 * DAY + n as i64 * STEP }
    };
    read.iter().enumerate().map(event).collect()
}

/// Less than an hour, which both contracts allow.
fn back() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(0), 1 => 0..HOUR / STEP]
}

fn decide(index: &mut Index, event: &Event) -> Verdict {
    let verdict = index.decide(&ids([event.key]), event.class, &event.row).unwrap();
    index.has_read(event.row.partition, event.row.ingested_at, event.now);
    verdict
}

fn interned(index: &mut Index) -> Vec<PartitionId> {
    (0..3).map(|number| index.partition(&Partition::new("clicks", number)).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// `saved`: where the checkpoint is taken; `crash`: where the process ends. What lies between is read again.
    #[test]
    fn neither_eviction_nor_a_restart_changes_a_verdict(
        kib in 4..100_usize,
        read in prop::collection::vec((0..40_i64, back(), 0..40_u64, any::<bool>()), 60..700),
        saved in any::<prop::sample::Index>(),
        crash in any::<prop::sample::Index>(),
    ) {
        let mut keeping = long_and_short(Index::new(&options(1 << 30, None)).unwrap());
        let events = events(&interned(&mut keeping), &read);
        let right: Vec<Verdict> = events.iter().map(|event| decide(&mut keeping, event)).collect();

        let (saved, crash) = (saved.index(events.len()), crash.index(events.len()));
        let (saved, crash) = (saved.min(crash), saved.max(crash));
        let dir = TempDir::new().unwrap();
        let options_of = |dir: &TempDir| options(kib << 10, Some(dir));
        let mut index = long_and_short(Index::new(&options_of(&dir)).unwrap());
        interned(&mut index);
        index.record(false);
        index.evict_from(events[0].now);
        let mut checkpoint = Checkpoint::default();
        for (n, event) in events.iter().enumerate().take(crash) {
            if n == saved {
                checkpoint.publish(&mut index);
            }
            prop_assert_eq!(decide(&mut index, event), right[n], "event {}", n);
        }
        prop_assert_eq!(index.stats().late, 0);
        drop(index);

        let other = TempDir::new().unwrap();
        let mut rebuilt = long_and_short(Index::new(&options_of(&other)).unwrap());
        interned(&mut rebuilt);
        let mut starts = vec![(rebuilt, 0)];
        if saved < crash {
            starts.push((long_and_short(checkpoint.load(&options_of(&dir)).unwrap()), saved));
        }
        for (mut index, known) in starts {
            // The sinks hold what was accepted before the crash.
            for n in (known..crash).filter(|n| right[*n].is_accepted()) {
                index.remember(id(events[n].key), events[n].class, &events[n].row).unwrap();
            }
            index.evict_from(events[saved].now);
            for (n, event) in events.iter().enumerate().skip(saved) {
                let verdict = decide(&mut index, event);
                if n < crash {
                    // The winner that is named may be one that was read later.
                    prop_assert_eq!(verdict.is_accepted(), right[n].is_accepted(), "event {} read again", n);
                } else {
                    prop_assert_eq!(verdict, right[n], "event {} after a restart", n);
                }
            }
            prop_assert_eq!(index.stats().late, 0);
        }
    }
}
