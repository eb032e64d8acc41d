//! Runs every adapter through the suite of its port.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bucket;
mod faults;
mod rates;
mod seeded;
mod writers;

use std::collections::HashMap;
use std::sync::Arc;

use kassa_analytics::{Figures, Query};
use kassa_lake::{ArchiveSink, Folder, StarSink, Store, read};
use kassa_model::time::{Clock, SystemClock};
use kassa_model::{Contract, Positions, Table};
use kassa_pipeline::Sink;
use kassa_server::{Live, LiveSink};
use kassa_sim::batches::{TOPIC, shop};
use kassa_sim::sink;
use tempfile::TempDir;

/// A store and its location.
struct Kept {
    store: Arc<dyn Store>,
    _folder: Option<TempDir>,
}

impl Kept {
    fn in_folder() -> Self {
        let folder = TempDir::new().unwrap();
        Self { store: Arc::new(Folder::new(folder.path())), _folder: Some(folder) }
    }

    fn rows(&self, folder: &str) -> usize {
        let snapshot = kassa_lake::delta::Snapshot::load(self.store.as_ref(), folder).unwrap();
        snapshot.files.values().map(|add| usize::try_from(add.rows().unwrap()).unwrap()).sum()
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

struct Archive(Kept);

impl sink::Kept for Archive {
    fn open(&self) -> Box<dyn Sink> {
        Box::new(ArchiveSink::open(Arc::clone(&self.0.store), &[Arc::from(TOPIC)], clock()).unwrap())
    }

    fn accepted(&self) -> usize {
        self.0.rows(&read::archive_folder(TOPIC))
    }

    fn keeps_letters(&self) -> bool {
        true
    }
}

struct Star(Kept);

impl sink::Kept for Star {
    fn open(&self) -> Box<dyn Sink> {
        let contracts = HashMap::from([(Arc::from(TOPIC), Contract::OrderLine)]);
        Box::new(StarSink::open(&self.0.store, contracts, clock()).unwrap())
    }

    fn accepted(&self) -> usize {
        self.0.rows(&read::folder_of(Table::FactSales))
    }

    fn keeps_letters(&self) -> bool {
        false
    }
}

struct InMemory(Arc<Live>);

impl sink::Kept for InMemory {
    fn open(&self) -> Box<dyn Sink> {
        Box::new(LiveSink(Arc::clone(&self.0)))
    }

    fn accepted(&self) -> usize {
        let query = Query::parse("units", None, None, None, None).unwrap();
        let (answer, _) = self.0.answer(&query).unwrap();
        answer
            .rows
            .first()
            .and_then(|row| row.value.as_deref())
            .map_or(0, |units| units.split('.').next().unwrap().parse().unwrap())
    }

    fn keeps_letters(&self) -> bool {
        false
    }
}

#[test]
fn the_archive_is_a_sink() {
    kassa_sim::sink::holds(|| Archive(Kept::in_folder()));
}

#[test]
fn the_lake_is_a_sink() {
    kassa_sim::sink::holds(|| Star(Kept::in_folder()));
}

#[test]
fn live_figures_are_a_sink() {
    kassa_sim::sink::holds(|| InMemory(Arc::new(Live::new(Figures::new(&shop()), Positions::default()))));
}

#[test]
fn a_folder_is_a_store() {
    kassa_sim::store::holds(Kept::in_folder().store.as_ref());
}
