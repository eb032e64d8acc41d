//! When people shop: the shop's hours, weekdays and promotions.

use super::words::SHELVES;

/// Visitors by wall-clock hour, in thousandths of the mean: weekdays, then weekends.
const HOURS: [[i64; 24]; 2] = [
    [
        260, 150, 100, 80, 90, 170, 400, 720, 960, 1060, 1130, 1230, 1450, 1340, 1150, 1090, 1120, 1260, 1480, 1780, 2060, 2110,
        1760, 1050,
    ],
    [
        380, 230, 140, 100, 90, 120, 230, 480, 860, 1230, 1480, 1560, 1500, 1410, 1360, 1340, 1370, 1430, 1520, 1650, 1760, 1700,
        1270, 790,
    ],
];

/// Visitors by weekday, Monday first, in thousandths of the mean.
const WEEKDAYS: [i64; 7] = [960, 910, 920, 960, 1_000, 1_140, 1_110];

/// A discount for everybody while it lasts, or with a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Promotion {
    pub(super) code: &'static str,
    pub(super) percent: i64,
    /// Only for shelves in this top category.
    category: Option<&'static str>,
}

/// For new accounts.
pub(super) const WELCOME: Promotion = Promotion { code: "WELCOME10", percent: 10, category: None };

const WEEKEND: Promotion = Promotion { code: "WEEKEND15", percent: 15, category: None };
const BY_WEEK: [Promotion; 4] = [
    Promotion { code: "GARDEN20", percent: 20, category: Some("Garden") },
    Promotion { code: "KITCHEN20", percent: 20, category: Some("Kitchen") },
    Promotion { code: "GLOW25", percent: 25, category: Some("Lighting") },
    Promotion { code: "COSY15", percent: 15, category: Some("Textiles") },
];

impl Promotion {
    /// The percentage that it takes off a product on a shelf.
    pub(super) fn percent_on(self, shelf: usize) -> i64 {
        let applies = self.category.is_none_or(|category| SHELVES[shelf].path[0] == category);
        if applies { self.percent } else { 0 }
    }

    /// The promotion of a day: of four weeks, one ends with a weekend for everything, and two begin
    /// with four days of a category.
    pub(super) fn on(day: i64) -> Option<Self> {
        // 1970-01-01 was a Thursday.
        let (week, weekday) = ((day + 3).div_euclid(7), (day + 3).rem_euclid(7));
        match (week.rem_euclid(4), weekday) {
            (1, 4..=6) => Some(WEEKEND),
            (0 | 2, 0..=3) => Some(BY_WEEK[(week.div_euclid(2).rem_euclid(4)) as usize]),
            _ => None,
        }
    }
}

/// The busyness of a minute of a day, in millionths of the mean.
pub(super) fn busyness(day: i64, minute: i32) -> i64 {
    let weekday = (day + 3).rem_euclid(7) as usize;
    let hour = (minute / 60) as usize % 24;
    let hours = &HOURS[usize::from(weekday >= 5)];
    // Linear between the hours, so that the day's curve has no steps.
    let (here, next) = (hours[hour], hours[(hour + 1) % 24]);
    let now = here + (next - here) * i64::from(minute % 60) / 60;
    let promoted = if Promotion::on(day).is_some() { 1_120 } else { 960 };
    now * WEEKDAYS[weekday] / 1_000 * promoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_as_busy_as_its_mean() {
        let minutes = 28 * 1_440;
        let mean = (0..minutes).map(|minute| busyness(20_000 + i64::from(minute / 1_440), minute % 1_440)).sum::<i64>()
            / i64::from(minutes);
        assert!((970_000..1_030_000).contains(&mean), "{mean}");
    }

    #[test]
    fn promotions_begin_and_end() {
        let running: Vec<bool> = (20_000..20_028).map(|day| Promotion::on(day).is_some()).collect();
        assert_eq!(running.iter().filter(|on| **on).count(), 11);
        let garden = BY_WEEK[0];
        assert_eq!((garden.percent_on(0), garden.percent_on(4), WELCOME.percent_on(4)), (20, 0, 10));
    }
}
