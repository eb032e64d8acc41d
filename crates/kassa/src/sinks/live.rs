//! The live figures. They are in memory: the server opens them with its own state.

use std::time::Duration;

use kassa_config::Config;

use super::registration::Registration;

#[derive(Debug)]
pub struct Figures;

pub const LIVE: &str = "live";

impl Registration for Figures {
    fn name(&self) -> &'static str {
        LIVE
    }

    fn interval(&self, _: &Config) -> Duration {
        Duration::from_millis(20)
    }
}
