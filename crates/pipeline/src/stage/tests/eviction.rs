//! Events outside their window leave the dedupe index while further records are read.

use std::sync::atomic::{AtomicI64, Ordering};

use kassa_model::time::{Clock, DAY};

use super::*;

const A_DAY: i64 = 200;

#[derive(Debug, Default)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stage of events with a window of a day, in little memory.
fn stage() -> Stage {
    let index = Index::new(&IndexOptions { memory_bytes: 64 << 10, dir: None, event_window_us: DAY }).unwrap();
    let stream = Stream::new("clicks", Contract::Event, Format::Json, None, LIMIT);
    Stage::new(&shop("UTC"), KEYS, index, [(Arc::from("t"), stream)])
}

/// The fates of the events of a day, each with an id of its own.
fn read(stage: &mut Stage, day: i64, first_id: i64) -> Vec<Fate> {
    let event = |id| format!(r#"{{"event_id":"e{id}","occurred_at":0,"type":"page_viewed"}}"#);
    let values: Vec<String> = (first_id..first_id + A_DAY).map(event).collect();
    let values: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
    let records =
        Records { ingested_at: vec![INGESTED + day * DAY; values.len()], ..records(day * A_DAY, &values, Headers::None) };
    stage.run(records, day * A_DAY).unwrap().fates().to_vec()
}

#[test]
fn a_stage_with_a_clock_evicts_events_past_their_window() {
    let (mut keeping, mut evicting, clock) = (stage(), stage(), Arc::new(Hand::default()));
    clock.0.store(INGESTED - DAY, Ordering::Relaxed);
    evicting.evict_events(clock.clone());
    for day in 0..20 {
        clock.0.store(INGESTED + day * DAY, Ordering::Relaxed);
        let fates = read(&mut evicting, day, day * A_DAY);
        assert_eq!(fates, read(&mut keeping, day, day * A_DAY));
        assert_eq!(fates, vec![Fate::Accepted; fates.len()]);
    }
    let held = |stage: &Stage| stage.index.stats().event_keys;
    assert_eq!(held(&keeping), 20 * A_DAY.cast_unsigned());
    assert!(held(&evicting) <= 5 * A_DAY.cast_unsigned(), "{:?}", evicting.index.stats());

    for stage in [&mut evicting, &mut keeping] {
        assert_eq!(read(stage, 20, 19 * A_DAY), vec![Fate::Duplicate; 200], "ids of the day before");
        assert_eq!(stage.index.stats().late, 0);
    }
    evicting.keep_events();
    let before = held(&evicting);
    (30..40).for_each(|day| drop(read(&mut evicting, day, day * A_DAY)));
    assert_eq!(held(&evicting), before + 10 * A_DAY.cast_unsigned(), "a refill is read in another order");
}
