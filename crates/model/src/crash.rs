//! Named crash points: places where a test can kill the program, to prove that a crash there is
//! harmless.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// `NAME:N`: exit at the N-th hit (from 1) of the point NAME.
pub const VARIABLE: &str = "KASSA_CRASH_POINT";

#[derive(Debug)]
struct Plan {
    name: String,
    at: u64,
    hits: AtomicU64,
}

static PLAN: OnceLock<Option<Plan>> = OnceLock::new();

/// Exits here, without unwinding or flushing, if [`VARIABLE`] says so; otherwise it costs a load
/// and a comparison.
///
/// The last line on stderr is `crash point NAME hit N`, so that a test can prove that the fault
/// occurred.
#[inline]
pub fn point(name: &'static str) {
    if let Some(plan) = PLAN.get_or_init(|| std::env::var(VARIABLE).ok().and_then(|text| parse(&text))) {
        hit(plan, name);
    }
}

#[cold]
fn hit(plan: &Plan, name: &str) {
    if plan.name == name && plan.hits.fetch_add(1, Ordering::Relaxed) + 1 == plan.at {
        eprintln!("crash point {name} hit {}", plan.at);
        std::process::abort();
    }
}

/// `None` for an invalid plan: a test that relies on it then sees no crash and fails.
fn parse(text: &str) -> Option<Plan> {
    let (name, at) = text.rsplit_once(':')?;
    let at = at.parse().ok().filter(|at| *at > 0)?;
    Some(Plan { name: name.to_owned(), at, hits: AtomicU64::new(0) })
}

#[cfg(test)]
mod tests;
