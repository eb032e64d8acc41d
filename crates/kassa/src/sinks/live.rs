//! The live figures. They are in memory: the server opens them with its own state.

use super::registration::Registration;
use crate::wiring::Durable;

#[derive(Debug)]
pub struct Figures;

pub const LIVE: &str = "live";

impl Registration for Figures {
    fn name(&self) -> &'static str {
        LIVE
    }

    /// The server opens it.
    fn feed(&self, _: &mut Durable) {}

    fn is_fed(&self, _: Durable) -> bool {
        false
    }
}
