use std::collections::HashMap;

use proptest::prelude::*;
use tempfile::TempDir;

use kassa_model::key::Keyring;

use super::*;

mod eviction;

const EVENT: Class = Class::Event(Contract::Event);
/// Events of another contract, with a window of their own.
const STOCK: Class = Class::Event(Contract::Inventory);
const STOCK_WINDOW: i64 = 5 * STEP;

/// By the number of the class in the index.
const CLASSES: [Class; 3] = [Class::Money, EVENT, STOCK];

fn with_stock(index: Index) -> Index {
    index.with_windows([(Contract::Inventory, STOCK_WINDOW)])
}

/// A key by number.
fn id(number: u64) -> Id {
    Keyring::keyed([7; 16]).id("test", &[&number.to_string()])
}

fn ids<const N: usize>(numbers: [u64; N]) -> [Id; N] {
    numbers.map(id)
}

const STEP: i64 = 1 << 24;
const WINDOW: i64 = 20 * STEP;

fn options(memory_bytes: usize, dir: Option<&TempDir>) -> IndexOptions {
    IndexOptions { memory_bytes, dir: dir.map(|dir| dir.path().to_owned()), event_window_us: WINDOW }
}

fn row(partition: PartitionId, offset: i64) -> Row {
    Row { partition, offset, index: 0, content: 7, ingested_at: 0 }
}

fn roomy() -> (Index, PartitionId) {
    let mut index = Index::new(&options(1 << 30, None)).unwrap();
    let partition = index.partition(&Partition::new("orders", 0)).unwrap();
    (index, partition)
}

/// How many run files the folder holds.
fn run_files(dir: &TempDir) -> usize {
    let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".keys")).count()
}

#[test]
fn the_first_wins_and_wins_again_when_read_again() {
    let (mut index, partition) = roomy();
    assert_eq!(index.decide(&ids([1]), Class::Money, &row(partition, 10)).unwrap(), Verdict::New);
    assert_eq!(index.decide(&ids([1]), Class::Money, &row(partition, 11)).unwrap(), Verdict::Duplicate { partition, offset: 10 });
    assert_eq!(index.decide(&ids([1]), Class::Money, &row(partition, 10)).unwrap(), Verdict::Winner);
    assert_eq!(index.stats().money_keys, 1);
}

#[test]
fn other_contents_under_a_known_key_are_a_conflict() {
    let (mut index, partition) = roomy();
    index.decide(&ids([1]), Class::Money, &row(partition, 10)).unwrap();
    let other = Row { content: 8, ..row(partition, 11) };
    assert_eq!(index.decide(&ids([1]), Class::Money, &other).unwrap(), Verdict::Conflict { partition, offset: 10 });
    // Read again after its decoder was corrected, the winner still wins.
    let mended = Row { content: 9, ..row(partition, 10) };
    assert_eq!(index.decide(&ids([1]), Class::Money, &mended).unwrap(), Verdict::Winner);
}

#[test]
fn two_rows_of_one_record_are_told_apart() {
    let (mut index, partition) = roomy();
    index.decide(&ids([1]), Class::Money, &row(partition, 10)).unwrap();
    for far in [1, 4095, 4096, 70_000] {
        let second = Row { index: far, ..row(partition, 10) };
        assert_eq!(index.decide(&ids([1]), Class::Money, &second).unwrap(), Verdict::Duplicate { partition, offset: 10 });
    }
}

#[test]
fn a_row_is_accepted_only_if_all_its_keys_are() {
    let (mut index, partition) = roomy();
    index.decide(&ids([1, 2]), Class::Money, &row(partition, 10)).unwrap();
    assert_eq!(
        index.decide(&ids([3, 2]), Class::Money, &row(partition, 11)).unwrap(),
        Verdict::Duplicate { partition, offset: 10 }
    );
    assert_eq!(
        index.probe(id(3), Class::Money, &row(partition, 12)).unwrap(),
        Verdict::New,
        "a refused row leaves no key behind"
    );
    let other = Row { content: 8, ..row(partition, 13) };
    index.decide(&ids([4]), Class::Money, &other).unwrap();
    let torn = index.decide(&ids([1, 4]), Class::Money, &row(partition, 14)).unwrap();
    assert_eq!(torn, Verdict::Conflict { partition, offset: 13 }, "a conflict is not hidden by a duplicate");
}

#[test]
fn a_winner_completes_its_keys() {
    let (mut index, partition) = roomy();
    index.remember(id(1), Class::Money, &row(partition, 10)).unwrap();
    assert_eq!(index.decide(&ids([1, 2]), Class::Money, &row(partition, 10)).unwrap(), Verdict::Winner);
    assert_eq!(index.probe(id(2), Class::Money, &row(partition, 11)).unwrap(), Verdict::Duplicate { partition, offset: 10 });
}

#[test]
fn offsets_and_partitions_have_no_small_limit() {
    let mut index = Index::new(&options(1 << 30, None)).unwrap();
    let files: Vec<_> = (0..2000).map(|n| index.partition(&Partition::new("file", n * 0x1234_5678_9ABC)).unwrap()).collect();
    assert_eq!(index.partition(&Partition::new("file", 0x1234_5678_9ABC)).unwrap(), files[1]);
    assert_ne!(index.partition(&Partition::new("files", 0x1234_5678_9ABC)).unwrap(), files[1]);
    assert_eq!(index.partition_of(files[5]), Some(Partition::new("file", 5 * 0x1234_5678_9ABC)));
    for (key, offset) in [(1, 1 << 31), (2, (1 << 32) + 5), (3, i64::MAX)] {
        index.decide(&ids([key]), Class::Money, &row(files[1], offset)).unwrap();
        let again = index.decide(&ids([key]), Class::Money, &row(files[2], offset)).unwrap();
        assert_eq!(again, Verdict::Duplicate { partition: files[1], offset });
        let low = index.decide(&ids([key]), Class::Money, &row(files[1], offset & 0xFFFF_FFFF)).unwrap();
        assert_eq!(low == Verdict::Winner, offset < 1 << 32, "offset {offset}");
    }
}

#[test]
fn the_window_lies_between_ingest_times() {
    let (mut index, partition) = roomy();
    let at = |offset, ingested_at| Row { ingested_at, ..row(partition, offset) };
    let start = 1_000 * STEP;
    index.decide(&ids([1]), EVENT, &at(0, start)).unwrap();
    let inside = index.decide(&ids([1]), EVENT, &at(1, start + WINDOW)).unwrap();
    assert_eq!(inside, Verdict::Duplicate { partition, offset: 0 });
    assert_eq!(index.decide(&ids([1]), EVENT, &at(2, start + WINDOW + 2 * STEP)).unwrap(), Verdict::New);
    assert_eq!(index.decide(&ids([1]), EVENT, &at(0, start)).unwrap(), Verdict::Winner, "the first reading is not undone");
    index.decide(&ids([1]), Class::Money, &at(0, start)).unwrap();
    let years_later = index.decide(&ids([1]), Class::Money, &at(1, start + 1_000_000 * STEP)).unwrap();
    assert_eq!(years_later, Verdict::Duplicate { partition, offset: 0 });
}

#[test]
fn sealed_keys_are_found_in_few_runs() {
    let dir = TempDir::new().unwrap();
    let mut index = Index::new(&options(85 << 10, Some(&dir))).unwrap();
    let partition = index.partition(&Partition::new("orders", 0)).unwrap();
    for n in 0..60_000_i64 {
        let verdict = index.decide(&ids([n.cast_unsigned()]), Class::Money, &row(partition, n)).unwrap();
        assert_eq!(verdict, Verdict::New);
    }
    let stats = index.stats();
    assert_eq!(stats.money_keys, 60_000);
    assert!((2..=12).contains(&stats.runs), "{stats:?}");
    assert!(stats.false_positives < 60_000 * 12 / 100, "{stats:?}");
    for n in (0..60_000_i64).step_by(7) {
        assert_eq!(index.decide(&ids([n.cast_unsigned()]), Class::Money, &row(partition, n)).unwrap(), Verdict::Winner);
    }
    assert!(run_files(&dir) <= stats.runs + 1, "merged runs are removed");
}

#[test]
fn one_key_may_fill_several_blocks() {
    let dir = TempDir::new().unwrap();
    let mut index = Index::new(&options(1 << 20, Some(&dir))).unwrap();
    let partition = index.partition(&Partition::new("clicks", 0)).unwrap();
    for n in 0..600_i64 {
        index.remember(id(n.cast_unsigned() / 400), EVENT, &row(partition, n)).unwrap();
    }
    index.classes[MONEY + 1].seal(&mut index.files).unwrap();
    for n in 0..600_i64 {
        let verdict = index.probe(id(n.cast_unsigned() / 400), EVENT, &row(partition, n)).unwrap();
        assert_eq!(verdict, Verdict::Winner, "row {n}");
    }
}

#[test]
fn without_a_folder_the_table_grows_and_says_so() {
    let mut index = Index::new(&options(1 << 10, None)).unwrap();
    let partition = index.partition(&Partition::new("orders", 0)).unwrap();
    for n in 0..20_000_i64 {
        index.decide(&ids([n.cast_unsigned()]), Class::Money, &row(partition, n)).unwrap();
    }
    let bytes_a_key = index.stats().memory_bytes / 20_000;
    assert!((33..=56).contains(&bytes_a_key), "{bytes_a_key} bytes a key");
    assert!(index.cut().files().is_empty());
}

#[test]
fn tables_keep_their_bound_while_ten_times_as_many_keys_come() {
    let dir = TempDir::new().unwrap();
    let memory_bytes = 1 << 20;
    let mut index = Index::new(&options(memory_bytes, Some(&dir))).unwrap();
    let partition = index.partition(&Partition::new("orders", 0)).unwrap();
    // A table has at least 33 bytes per key.
    let (keys, mut most) = (10 * (1_i64 << 20) / 33, 0_usize);
    for n in 0..keys {
        assert_eq!(index.decide(&ids([n.cast_unsigned()]), Class::Money, &row(partition, n)).unwrap(), Verdict::New);
        if n % 16 == 0 {
            most = most.max(index.stats().tables_bytes);
        }
    }
    assert!((memory_bytes / 2..=memory_bytes + (16 << 10)).contains(&most), "{most} bytes");
    assert_eq!(index.stats().money_keys, keys.cast_unsigned());
    for n in (0..keys).step_by(997) {
        assert_eq!(index.decide(&ids([n.cast_unsigned()]), Class::Money, &row(partition, n)).unwrap(), Verdict::Winner);
    }
}

#[test]
fn money_keys_take_at_most_24_bytes_on_disk() {
    let dir = TempDir::new().unwrap();
    let mut index = Index::new(&options(256 << 20, Some(&dir))).unwrap();
    let partitions: Vec<_> = (0..12).map(|n| index.partition(&Partition::new("orders", n)).unwrap()).collect();
    // A year of orders with two keys each, among other records, some of them with nested lines.
    let (keys, year) = (1_000_000_i64, 365 * 86_400_000_000);
    let order = |n: i64| {
        let (partition, content) = (partitions[usize::try_from(n % 12).unwrap()], id(n.cast_unsigned()).short());
        let row =
            Row { partition, offset: n * 16, index: u32::try_from(n % 8).unwrap(), content, ingested_at: n * (year / keys) * 2 };
        (ids([n.cast_unsigned() * 2, n.cast_unsigned() * 2 + 1]), row)
    };
    for (ids, row) in (0..keys / 2).map(order) {
        assert_eq!(index.decide(&ids, Class::Money, &row).unwrap(), Verdict::New);
    }
    index.classes[MONEY].seal(&mut index.files).unwrap();
    let stats = index.stats();
    let [run] = &index.classes[MONEY].runs[..] else { panic!("{stats:?}") };
    assert_eq!(std::fs::metadata(&run.path).unwrap().len(), stats.disk_bytes);
    assert!(stats.disk_bytes <= 24 * keys.cast_unsigned(), "{} bytes a key", stats.disk_bytes as f64 / keys as f64);
    assert!(stats.filters_bytes <= 2 * 1_000_000, "{stats:?}");
    for (ids, row) in (0..keys / 2).step_by(97).map(order) {
        assert_eq!(index.decide(&ids, Class::Money, &row).unwrap(), Verdict::Winner);
    }
}

#[test]
fn events_past_the_window_leave_disk_and_memory() {
    let dir = TempDir::new().unwrap();
    let mut index = Index::new(&options(85 << 10, Some(&dir))).unwrap();
    let partition = index.partition(&Partition::new("clicks", 0)).unwrap();
    let mut most = 0;
    for n in 0..100_000_i64 {
        let ingested_at = n * STEP / 100;
        index.decide(&ids([n.cast_unsigned()]), EVENT, &Row { ingested_at, ..row(partition, n) }).unwrap();
        if n % 1000 == 0 {
            index.forget_before(ingested_at);
            most = most.max(index.stats().event_keys);
        }
    }
    assert!(most < 15_000, "{most} keys were held at once, of which some 2,000 matter");
    assert!(run_files(&dir) <= index.stats().runs + 1);
    let mut rowless = Index::new(&options(32 << 10, None)).unwrap();
    let partition = rowless.partition(&Partition::new("clicks", 0)).unwrap();
    for n in 0..100_000_i64 {
        let ingested_at = n * STEP / 100;
        rowless.decide(&ids([n.cast_unsigned()]), EVENT, &Row { ingested_at, ..row(partition, n) }).unwrap();
        rowless.forget_before(ingested_at);
    }
    assert!(rowless.stats().event_keys < 10_000, "{:?}", rowless.stats());
}

/// The index's part of a checkpoint, as its reader assembles it.
#[derive(Default)]
struct Checkpoint {
    places: Vec<u8>,
    last_id: u64,
    keys: Vec<SavedKeys>,
}

impl Checkpoint {
    /// Adds a cut, as the writer does.
    fn publish(&mut self, index: &mut Index) {
        let cut = index.cut();
        cut.sync().unwrap();
        let files = cut.files();
        (self.places, self.last_id) = (cut.places, cut.last_id);
        let mut before = std::mem::take(&mut self.keys);
        for cut in cut.keys {
            let held = before.iter_mut().find(|held| held.window == cut.window).map(std::mem::take);
            let mut table = held.unwrap_or_default().table;
            if cut.table.replaces {
                table.clear();
            }
            let runs = cut.runs();
            table.push(cut.table.bytes);
            self.keys.push(SavedKeys { window: cut.window, floor: cut.floor, runs, table });
        }
        index.published(files);
    }

    fn load(&self, options: &IndexOptions) -> Option<Index> {
        Index::load(options, SavedIndex { places: self.places.clone(), last_id: self.last_id, keys: self.keys.clone() })
    }
}

fn saved(dir: &TempDir) -> Checkpoint {
    let mut index = Index::new(&options(32 << 10, Some(dir))).unwrap();
    index.record(false);
    let partition = index.partition(&Partition::new("orders", 3)).unwrap();
    let mut checkpoint = Checkpoint::default();
    for n in 0..10_000_i64 {
        index.decide(&ids([n.cast_unsigned()]), Class::Money, &row(partition, n)).unwrap();
        index.decide(&ids([n.cast_unsigned()]), EVENT, &row(partition, n)).unwrap();
        if n % 900 == 0 {
            checkpoint.publish(&mut index);
        }
    }
    checkpoint.publish(&mut index);
    // What happens after a checkpoint, and is lost with the crash, does not harm it.
    for n in 10_000..30_000_i64 {
        index.decide(&ids([n.cast_unsigned()]), Class::Money, &row(partition, n)).unwrap();
    }
    index.cut();
    for n in 30_000..40_000_i64 {
        index.decide(&ids([n.cast_unsigned()]), Class::Money, &row(partition, n)).unwrap();
    }
    checkpoint
}

#[test]
fn a_checkpoint_outlives_a_crash() {
    let dir = TempDir::new().unwrap();
    let mut checkpoint = saved(&dir);
    let mut index = checkpoint.load(&options(32 << 10, Some(&dir))).unwrap();
    let partition = index.partition(&Partition::new("orders", 3)).unwrap();
    for n in 0..30_000_i64 {
        let expected = if n < 10_000 { Verdict::Winner } else { Verdict::New };
        assert_eq!(index.decide(&ids([n.cast_unsigned()]), Class::Money, &row(partition, n)).unwrap(), expected);
    }
    checkpoint.publish(&mut index);
    let needed = index.stats().runs;
    assert!((needed..=needed + 2).contains(&run_files(&dir)), "the runs, and perhaps a merge under way in each class");
}

#[test]
fn a_checkpoint_whose_runs_are_torn_is_not_loaded() {
    let dir = TempDir::new().unwrap();
    let checkpoint = saved(&dir);
    assert!(checkpoint.load(&options(32 << 10, Some(&dir))).is_some(), "whole; what it does not refer to is removed");
    let referred: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!referred.is_empty());
    for path in referred {
        let whole = std::fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        let last = flipped.len() - 20;
        flipped[last] ^= 1;
        for broken in [&whole[..whole.len() - 1], &whole[..0], &flipped] {
            std::fs::write(&path, broken).unwrap();
            assert!(checkpoint.load(&options(32 << 10, Some(&dir))).is_none(), "{}", path.display());
            std::fs::write(&path, &whole).unwrap();
        }
    }
    assert!(checkpoint.load(&options(32 << 10, Some(&dir))).is_some(), "put right again, it is one");
    std::fs::remove_dir_all(dir.path()).unwrap();
    assert!(checkpoint.load(&options(32 << 10, Some(&dir))).is_none(), "missing");
}

#[test]
fn a_cut_costs_what_is_new() {
    let dir = TempDir::new().unwrap();
    let mut index = Index::new(&options(1 << 20, Some(&dir))).unwrap();
    index.record(false);
    let partition = index.partition(&Partition::new("orders", 0)).unwrap();
    let decide = |index: &mut Index, n: i64| {
        index.decide(&ids([n.cast_unsigned()]), Class::Money, &row(partition, n)).unwrap();
    };
    (0..200_000).for_each(|n| decide(&mut index, n));
    index.cut();
    (200_000..200_010).for_each(|n| decide(&mut index, n));
    let cut = index.cut();
    let [money, event] = &cut.keys[..] else { panic!("{cut:?}") };
    assert!(!money.table.replaces && event.table.is_empty() && !cut.adds_nothing());
    assert_eq!(money.table.bytes.len(), 320);
    assert!(index.cut().adds_nothing());
}

#[test]
fn a_run_that_was_tampered_with_is_not_believed() {
    let dir = TempDir::new().unwrap();
    let mut index = Index::new(&options(85 << 10, Some(&dir))).unwrap();
    let partition = index.partition(&Partition::new("orders", 0)).unwrap();
    for n in 0..1_000_i64 {
        index.decide(&ids([n.cast_unsigned()]), Class::Money, &row(partition, n)).unwrap();
    }
    index.classes[MONEY].seal(&mut index.files).unwrap();
    let path = index.classes[MONEY].runs[0].path.clone();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let failed = (0..1_000).filter_map(|n| index.probe(id(n), Class::Money, &row(partition, 0)).err()).next().unwrap();
    assert!(matches!(failed, IndexError::Corrupt(at) if at == path));
}

/// The specification of the index, as simple as possible.
#[derive(Debug, Default)]
struct Oracle(HashMap<(Class, u64), Vec<Row>>);

impl Oracle {
    /// Every correct verdict: of two winners with one ingest time either may be named.
    fn judge(&self, key: u64, class: Class, asked: &Row) -> Vec<Verdict> {
        let held = self.0.get(&(class, key)).map_or(&[][..], Vec::as_slice);
        if held.iter().any(|held| is_same(held, asked)) {
            return vec![Verdict::Winner];
        }
        let apart = |held: &Row| (held.ingested_at / STEP - asked.ingested_at / STEP).abs();
        let counts = |held: &&Row| match class {
            Class::Money => true,
            STOCK => apart(held) <= STOCK_WINDOW / STEP + 1,
            Class::Event(_) => apart(held) <= WINDOW / STEP + 1,
        };
        let eldest = held.iter().filter(counts).map(|held| held.ingested_at / STEP).min();
        let winners = held.iter().filter(counts).filter(|held| Some(held.ingested_at / STEP) == eldest);
        let verdicts = winners.map(|&Row { partition, offset, content, .. }| match content == asked.content {
            true => Verdict::Duplicate { partition, offset },
            false => Verdict::Conflict { partition, offset },
        });
        let verdicts: Vec<_> = verdicts.collect();
        if verdicts.is_empty() { vec![Verdict::New] } else { verdicts }
    }

    fn remember(&mut self, key: u64, class: Class, row: &Row) {
        let held = self.0.entry((class, key)).or_default();
        if !held.iter().any(|held| is_same(held, row)) {
            held.push(*row);
        }
    }
}

fn is_same(a: &Row, b: &Row) -> bool {
    (a.partition, a.offset, a.index) == (b.partition, b.offset, b.index)
}

#[derive(Debug, Clone)]
enum Step {
    /// This many rows, each with a new key.
    Fill {
        rows: i64,
        class: usize,
    },
    Read {
        keys: Vec<u64>,
        class: usize,
        partition: usize,
        content: u64,
        index: u32,
        later: i64,
        lag: i64,
    },
    ReadAgain(prop::sample::Index),
    Remember(prop::sample::Index),
    Seal(usize),
    Merge(usize),
    Forget,
    Checkpoint,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let later = prop_oneof![12 => Just(0), 2 => 1..4_i64, 1 => 10..40_i64];
    let read = (prop::collection::vec(0..12_u64, 1..=3), 0..3_usize, 0..4_usize, 0..3_u64, 0..6_u32, later, 0..15_i64);
    prop_oneof![
        5 => (1..1500_i64, 0..3_usize).prop_map(|(rows, class)| Step::Fill { rows, class }),
        60 => read.prop_map(|(keys, class, partition, content, index, later, lag)| {
            Step::Read { keys, class, partition, content, index: index * 1000, later, lag }
        }),
        20 => any::<prop::sample::Index>().prop_map(Step::ReadAgain),
        3 => any::<prop::sample::Index>().prop_map(Step::Remember),
        8 => (0..3_usize).prop_map(Step::Seal),
        6 => (0..3000_usize).prop_map(Step::Merge),
        6 => Just(Step::Forget),
        3 => Just(Step::Checkpoint),
        1 => Just(Step::Restart),
    ]
}

/// The index and the oracle, side by side.
struct Both {
    memory_bytes: usize,
    dir: TempDir,
    index: Index,
    checkpoint: Checkpoint,
    oracle: Oracle,
    partitions: Vec<PartitionId>,
    read: Vec<(Vec<u64>, Class, Row)>,
    now: i64,
    forgotten: i64,
}

impl Both {
    fn new(memory_bytes: usize) -> Self {
        let dir = TempDir::new().unwrap();
        let mut index = with_stock(Index::new(&options(memory_bytes, Some(&dir))).unwrap());
        let names = [("orders", 0), ("orders", 1), ("file", i64::MAX), ("clicks", 0)];
        let partitions = names.map(|(topic, number)| index.partition(&Partition::new(topic, number)).unwrap()).to_vec();
        index.record(false);
        let checkpoint = Checkpoint::default();
        Self {
            memory_bytes,
            dir,
            index,
            checkpoint,
            oracle: Oracle::default(),
            partitions,
            read: vec![],
            now: 500 * STEP,
            forgotten: 0,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Fill { rows, class } => {
                let class = CLASSES[*class];
                for _ in 0..*rows {
                    let offset = self.read.len() as i64;
                    let row = Row { ingested_at: self.now, ..row(self.partitions[3], offset) };
                    self.read.push((vec![1000 + offset.cast_unsigned()], class, row));
                    self.decide(&[1000 + offset.cast_unsigned()], class, &row);
                }
            }
            Step::Read { keys, class, partition, content, index, later, lag } => {
                self.now += later * STEP;
                // Offsets of one partition lie beyond 2^32, where places begin to matter.
                let offset = (*partition as i64) * 0xFFFF_FFF0 + self.read.len() as i64;
                let partition = self.partitions[*partition];
                let row = Row { partition, offset, index: *index, content: *content, ingested_at: self.now - lag * STEP };
                let class = CLASSES[*class];
                self.decide(keys, class, &row);
                self.read.push((keys.clone(), class, row));
            }
            Step::ReadAgain(which) => {
                if let Some((keys, class, row)) = self.pick(which) {
                    self.decide(&keys, class, &row);
                }
            }
            Step::Remember(which) => {
                if let Some((keys, class, row)) = self.pick(which) {
                    self.index.remember(id(keys[0]), class, &row).unwrap();
                    self.oracle.remember(keys[0], class, &row);
                }
            }
            Step::Seal(class) => self.index.classes[*class].seal(&mut self.index.files).unwrap(),
            Step::Merge(entries) => {
                for keys in &mut self.index.classes {
                    keys.tend(&mut self.index.files, *entries).unwrap();
                }
            }
            Step::Forget => {
                self.forgotten = self.now - 15 * STEP;
                self.index.forget_before(self.forgotten);
            }
            Step::Checkpoint => self.checkpoint.publish(&mut self.index),
            Step::Restart => self.restart(),
        }
    }

    fn pick(&self, which: &prop::sample::Index) -> Option<(Vec<u64>, Class, Row)> {
        let (keys, class, row) = (!self.read.is_empty()).then(|| which.get(&self.read))?;
        (*class == Class::Money || row.ingested_at >= self.forgotten).then(|| (keys.clone(), *class, *row))
    }

    fn decide(&mut self, keys: &[u64], class: Class, row: &Row) {
        let ids: Vec<Id> = keys.iter().map(|key| id(*key)).collect();
        let verdict = self.index.decide(&ids, class, row).unwrap();
        let right = keys.iter().fold(vec![Verdict::New], |so_far, key| {
            let next = self.oracle.judge(*key, class, row);
            so_far.iter().flat_map(|before| next.iter().map(|verdict| before.and(*verdict))).collect()
        });
        assert!(right.contains(&verdict), "{keys:?} {class:?} {row:?}: {verdict:?}, but {right:?}");
        if verdict.is_accepted() {
            keys.iter().for_each(|key| self.oracle.remember(*key, class, row));
        }
    }

    fn restart(&mut self) {
        self.checkpoint.publish(&mut self.index);
        self.index = with_stock(self.checkpoint.load(&options(self.memory_bytes, Some(&self.dir))).unwrap());
        self.index.forget_before(self.forgotten);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_index_decides_as_the_oracle_does(kib in 8..400_usize, steps in prop::collection::vec(step(), 1..400)) {
        let mut run = Both::new(kib << 10);
        steps.iter().for_each(|step| run.take(step));
    }
}
