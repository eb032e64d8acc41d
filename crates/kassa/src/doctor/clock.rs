//! Compares two clocks: they determine the limits of days and the validity of signatures.

use std::time::Duration;

use super::Check;

/// The difference that a network and a clock with whole seconds explain.
const SLACK: Duration = Duration::from_secs(5);
/// Amazon's servers refuse a signature that is more than this much older or newer.
const REFUSED: Duration = Duration::from_secs(15 * 60);

/// Compares a server's clock with this machine's; both µs UTC.
pub fn check(system: &'static str, place: &str, ours: i64, theirs: i64) -> Check {
    let apart = Duration::from_micros(theirs.abs_diff(ours));
    if apart <= SLACK {
        return Check::ok(system, "clock", place, "equal to this machine's");
    }
    let shown = humantime::format_duration(Duration::from_secs(apart.as_secs()));
    let found = format!("the server's clock is {shown} {} this machine's", if theirs < ours { "behind" } else { "ahead of" });
    let check = if apart < REFUSED { Check::warning } else { Check::wrong };
    check(system, "clock", place, found)
        .why("ingest times, days and signatures depend on these clocks: with a difference of 15 minutes, S3 refuses signed requests")
        .fix("set both clocks by NTP (`timedatectl set-ntp true`)")
}
