use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

const MS: Duration = Duration::from_millis(1);

/// Virtual time.
#[derive(Debug, Default)]
struct Virtual(AtomicU64);

impl Ticks for Virtual {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn wait(&self, pause: Duration) {
        self.0.fetch_add(u64::try_from(pause.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("connection refused")]
    Away,
    #[error("wrong password")]
    Refused,
}

/// Stores that are away until a time (ms), or refuse.
#[derive(Debug, Default)]
struct Stores {
    away_until: BTreeMap<&'static str, u64>,
    refuses: Option<&'static str>,
    /// The parts that were opened, and every try with its time.
    opened: Vec<&'static str>,
    tries: Vec<(&'static str, u64)>,
    ticks: Arc<Virtual>,
}

impl Opening for Stores {
    fn phases(&self) -> Vec<Vec<&'static str>> {
        vec![vec!["store"], vec!["lake", "warehouse"], vec!["pipeline"]]
    }

    fn open(&mut self, part: &'static str) -> anyhow::Result<()> {
        let now = u64::try_from(self.ticks.now().as_millis())?;
        self.tries.push((part, now));
        if self.refuses == Some(part) {
            return Err(Trouble::Refused.into());
        }
        if self.away_until.get(part).is_some_and(|until| now < *until) {
            return Err(anyhow::Error::from(Trouble::Away).context(format!("could not open the {part}")));
        }
        self.opened.push(part);
        Ok(())
    }

    fn is_away(&self, error: &anyhow::Error) -> bool {
        matches!(error.downcast_ref(), Some(Trouble::Away))
    }
}

fn joining(away_until: &[(&'static str, u64)], patience: Option<Duration>) -> (Joining<Stores>, Arc<Virtual>) {
    let ticks = Arc::<Virtual>::default();
    let stores = Stores { away_until: away_until.iter().copied().collect(), ticks: Arc::clone(&ticks), ..Stores::default() };
    (Joining::new(stores, Arc::clone(&ticks) as Arc<dyn Ticks>, patience), ticks)
}

/// Steps until everything is open.
fn run(joining: &mut Joining<Stores>, ticks: &Virtual) -> anyhow::Result<()> {
    while let Step::Wait(until) = joining.step()? {
        assert!(until > ticks.now(), "a step must not be due at once");
        ticks.wait(until - ticks.now());
    }
    Ok(())
}

#[test]
fn without_trouble_one_step_opens_all_in_order() {
    let (mut joining, _) = joining(&[], None);
    assert_eq!(joining.step().unwrap(), Step::Joined);
    assert_eq!(joining.into_opening().opened, ["store", "lake", "warehouse", "pipeline"]);
}

#[test]
fn a_part_that_is_away_holds_up_the_next_phase_and_no_part_of_its_own() {
    let (mut joining, ticks) = joining(&[("lake", 1_000)], None);
    assert_eq!(joining.step().unwrap(), Step::Wait(100 * MS));
    assert_eq!(joining.away(), [("lake", "could not open the lake: connection refused".to_owned())]);
    run(&mut joining, &ticks).unwrap();
    assert_eq!(joining.away(), []);
    let stores = joining.into_opening();
    assert_eq!(stores.opened, ["store", "warehouse", "lake", "pipeline"]);
    let of_lake: Vec<u64> = stores.tries.iter().filter(|(part, _)| *part == "lake").map(|(_, at)| *at).collect();
    assert_eq!(of_lake, [0, 100, 300, 700, 1_500]);
}

#[test]
fn a_store_that_is_away_for_an_hour_is_tried_every_five_seconds_and_joins() {
    let (mut joining, ticks) = joining(&[("store", 3_600_000), ("warehouse", 5_400_000)], None);
    run(&mut joining, &ticks).unwrap();
    let stores = joining.into_opening();
    assert_eq!(stores.opened, ["store", "lake", "warehouse", "pipeline"]);
    let of_store: Vec<u64> = stores.tries.iter().filter(|(part, _)| *part == "store").map(|(_, at)| *at).collect();
    assert!(of_store.windows(2).all(|tries| tries[1] - tries[0] <= 5_000), "{of_store:?}");
    assert!((700..800).contains(&of_store.len()), "{} tries in an hour", of_store.len());
}

#[test]
fn an_error_that_cannot_pass_ends_the_start_at_once_also_while_another_part_is_away() {
    let (mut joining, ticks) = joining(&[("lake", 1_000)], None);
    joining.opening.refuses = Some("warehouse");
    let error = run(&mut joining, &ticks).unwrap_err();
    assert_eq!(error.to_string(), "wrong password");
    assert_eq!(ticks.now(), Duration::ZERO);
}

#[test]
fn with_patience_a_part_that_stays_away_ends_the_start() {
    let (mut joining, ticks) = joining(&[("warehouse", u64::MAX)], Some(60_000 * MS));
    let error = run(&mut joining, &ticks).unwrap_err();
    assert_eq!(format!("{error:#}"), "could not open the warehouse: connection refused");
    assert!((60_000 * MS..66_000 * MS).contains(&ticks.now()), "{:?}", ticks.now());
    let (mut joining, ticks) = joining_again();
    run(&mut joining, &ticks).unwrap();
}

/// The same patience, and a store that comes back in time.
fn joining_again() -> (Joining<Stores>, Arc<Virtual>) {
    joining(&[("warehouse", 50_000)], Some(60_000 * MS))
}
