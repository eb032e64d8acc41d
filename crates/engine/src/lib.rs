//! The pipeline as a library: its threads of work as state machines, and its state across records.
//!
//! [`topology`] has the drawing. [`Engine`] and [`Committer`] are state machines over ports: the [`Feed`], the sinks, the lake's
//! store, and the [`Host`] with its clocks. [`threads`] runs them in a program; the seeded tests of `kassa-sim` run them in one
//! thread and in virtual time.
//!
//! The memory (dedupe index, members of dimensions), the figures and the counts can be rebuilt from the sinks. With a checkpoint,
//! a start reads only what was committed after the checkpoint's positions.

pub mod checkpoint;
pub mod committer;
pub mod deriver;
pub mod engine;
pub mod feed;
pub mod follower;
pub mod handoff;
pub mod joining;
pub mod memory;
pub mod recall;
pub mod refill;
pub mod tally;
pub mod threads;
pub mod ticks;
pub mod topology;
pub mod tracker;

pub use committer::{COMMIT_BYTES, Cadence, Committer, SinkHandle};
pub use engine::{Durable, Engine};
pub use feed::Feed;
pub use handoff::{HandOff, Host};
pub use memory::{Held, Known, Memory, MemoryError};
pub use tally::Tally;
pub use ticks::Ticks;
pub use topology::Topology;
