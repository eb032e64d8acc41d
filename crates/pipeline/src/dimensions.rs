//! Members of dimensions, each written when a record first names it. Keys are computed, so a member needs no look-up, and a fact
//! that comes before the master data needs no new key later.

mod collision;
mod keys;
mod members;

pub use self::collision::{Collision, Witness};
pub use self::members::Members;
