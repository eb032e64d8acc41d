//! The port between the engine and a sink's committer.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use kassa_model::time::Clock;
use kassa_pipeline::{Batch, SinkError};

use crate::committer::{Committer, SinkHandle};
use crate::ticks::Ticks;

/// Batches that wait for a sink.
pub const HAND_OFF: usize = 2;

/// The hand-off to one sink. Every error is the failure that stopped the sink.
pub trait HandOff: fmt::Debug {
    fn handle(&self) -> &SinkHandle;

    /// Hands a batch over. `false`: [`HAND_OFF`] batches are waiting, and this one must be offered again.
    fn offer(&mut self, batch: &Arc<Batch>) -> Result<bool, SinkError>;

    /// Requests a commit of everything handed over.
    fn flush(&mut self) -> Result<(), SinkError>;

    /// Returns when the requested commit is complete.
    fn flushed(&mut self) -> Result<(), SinkError>;

    /// Asks the sink to settle its positions as soon as it can: the source needs them. A sink that is busy may ignore it.
    fn settle(&mut self);

    /// Fails if the sink has stopped by itself.
    fn check(&mut self) -> Result<(), SinkError>;

    /// The program ends: from now on the sink waits no longer than `patience` for a store that does not answer.
    fn hurry(&mut self, patience: Duration);

    /// No batch will come. The sink commits what it has.
    fn close(&mut self);

    /// Returns when a closed sink has ended.
    fn join(&mut self) -> Result<(), SinkError>;
}

/// Starts a committer.
pub type Start = Box<dyn Fn(Committer) -> io::Result<Box<dyn HandOff>>>;

/// The engine's environment: its clocks, and the runner of committers.
pub struct Host {
    /// Wall-clock time.
    pub clock: Arc<dyn Clock>,
    pub ticks: Arc<dyn Ticks>,
    pub start: Start,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("clock", &self.clock).field("ticks", &self.ticks).finish_non_exhaustive()
    }
}
