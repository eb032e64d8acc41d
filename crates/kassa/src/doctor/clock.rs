//! Two clocks that differ: days begin and end by them, signatures are refused by them.

use std::time::Duration;

use super::Check;

/// What a network and a clock that shows whole seconds account for.
const SLACK: Duration = Duration::from_secs(5);
/// Amazon's servers refuse a signature that is older or younger.
const REFUSED: Duration = Duration::from_secs(15 * 60);

/// How a server's clock stands to this machine's; both µs UTC.
pub fn check(system: &'static str, place: &str, ours: i64, theirs: i64) -> Check {
    let apart = Duration::from_micros(theirs.abs_diff(ours));
    if apart <= SLACK {
        return Check::ok(system, "clock", place, "as this machine's");
    }
    let shown = humantime::format_duration(Duration::from_secs(apart.as_secs()));
    let found = format!("the server's clock is {shown} {} this machine's", if theirs < ours { "behind" } else { "ahead of" });
    let check = if apart < REFUSED { Check::warning } else { Check::wrong };
    check(system, "clock", place, found)
        .why("ingest times, days and signatures are told by these clocks: 15 minutes apart, S3 refuses what is signed")
        .mend("set both clocks by NTP (`timedatectl set-ntp true`)")
}
