//! Members of dimensions, each written when it is first named. Keys are computed, so a member needs no look-up and a fact that
//! names it before its master data has come needs no re-keying later.

mod collision;
mod keys;
mod members;

pub use self::collision::{Collision, Witness};
pub use self::members::Members;
