//! The state that the log's threads share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use kassa_model::time::Clock;
use kassa_model::{Partition, Positions};

use super::loss::Losses;
use super::queue::Queue;
use super::{LogError, LogOptions, Signal, folder, held};

#[derive(Debug, Clone, Copy)]
pub(super) struct SegmentInfo {
    pub(super) first: i64,
    pub(super) bytes: u64,
    pub(super) created_at: i64,
}

/// The state of a partition that writer, readers and retention share.
#[derive(Debug)]
pub(super) struct PartitionLog {
    pub(super) partition: Partition,
    pub(super) dir: PathBuf,
    /// What a repair gave up.
    pub(super) losses: Losses,
    /// The first stored offset.
    pub(super) start: AtomicI64,
    /// The offset after the last durable record.
    pub(super) durable: AtomicI64,
    pub(super) last_ingested_at: AtomicI64,
    pub(super) segments: Mutex<Vec<SegmentInfo>>,
    /// The bytes of all segment files of the log; shared by its partitions.
    pub(super) disk_bytes: Arc<AtomicU64>,
    /// How often frames beyond the durable end were cut off. What a reader has buffered may be such frames.
    pub(super) cuts: AtomicU64,
}

impl PartitionLog {
    pub(super) fn start(&self) -> i64 {
        self.start.load(Ordering::Acquire)
    }

    pub(super) fn durable(&self) -> i64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(super) fn add(&self, segment: SegmentInfo) {
        self.disk_bytes.fetch_add(segment.bytes, Ordering::AcqRel);
        held(&self.segments).push(segment);
    }

    /// Sets the size of a segment file.
    pub(super) fn resize(&self, first: i64, bytes: u64) {
        if let Some(segment) = held(&self.segments).iter_mut().rfind(|segment| segment.first == first) {
            let before = std::mem::replace(&mut segment.bytes, bytes);
            self.disk_bytes.fetch_add(bytes, Ordering::AcqRel);
            self.disk_bytes.fetch_sub(before, Ordering::AcqRel);
        }
    }

    /// Drops the segments that match; their files no longer exist.
    pub(super) fn remove(&self, is_gone: impl Fn(&SegmentInfo) -> bool) {
        held(&self.segments).retain(|segment| {
            let gone = is_gone(segment);
            self.disk_bytes.fetch_sub(if gone { segment.bytes } else { 0 }, Ordering::AcqRel);
            !gone
        });
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    pub(super) options: LogOptions,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) queue: Queue,
    pub(super) partitions: Mutex<BTreeMap<Partition, Arc<PartitionLog>>>,
    pub(super) signal: Signal,
    /// The bytes of all segment files.
    pub(super) disk_bytes: Arc<AtomicU64>,
    /// What every sink had committed at the last [`super::Log::retain`].
    pub(super) committed: Mutex<Positions>,
    /// Whether an append was refused since then for lack of room.
    pub(super) is_pressed: AtomicBool,
}

impl Shared {
    /// The partition's log; it starts empty if there was none.
    pub(super) fn partition(&self, partition: &Partition) -> Result<Arc<PartitionLog>, LogError> {
        let mut partitions = held(&self.partitions);
        if let Some(known) = partitions.get(partition) {
            return Ok(known.clone());
        }
        let dir = folder::partition_dir(&self.dir, partition)?;
        let new = Arc::new(PartitionLog {
            partition: partition.clone(),
            dir,
            losses: Losses::default(),
            start: AtomicI64::new(0),
            durable: AtomicI64::new(0),
            last_ingested_at: AtomicI64::new(i64::MIN),
            segments: Mutex::default(),
            disk_bytes: Arc::clone(&self.disk_bytes),
            cuts: AtomicU64::new(0),
        });
        partitions.insert(partition.clone(), new.clone());
        Ok(new)
    }

    pub(super) fn positions(&self, of: impl Fn(&PartitionLog) -> i64) -> Positions {
        held(&self.partitions).iter().map(|(partition, log)| (partition.clone(), of(log))).collect()
    }
}
