//! Days of 23, 24 and 25 hours.

use kassa_model::Table;

use crate::testing::{ask, figures};

/// A sale of 1.00 at each time.
fn shop_with_sales_at(zone: &str, times: &[&str]) -> crate::Figures {
    let row = |(order, at): (usize, &&str)| format!("movement=sale order={} at={at} currency=GBP quantity=1 gross=1", order + 1);
    let rows: Vec<String> = times.iter().enumerate().map(row).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    figures(zone, &[(Table::FactSales, &rows)])
}

#[test]
fn the_hour_that_autumn_repeats_is_one_key_and_the_day_has_25_hours() {
    // The clock of London goes back from 02:00 to 01:00 on 2025-10-26, at 01:00 UTC.
    let hours: Vec<String> = (0..25)
        .map(|hour| format!("2025-10-{}:30:00Z", if hour == 0 { "25T23".to_owned() } else { format!("26T{:02}", hour - 1) }))
        .collect();
    let times: Vec<&str> = hours.iter().map(String::as_str).chain(["2025-10-25T22:59:59Z", "2025-10-27T00:00:00Z"]).collect();
    let figures = shop_with_sales_at("Europe/London", &times);
    assert_eq!(ask(&figures, "net_sales day"), "2025-10-25=1.00 2025-10-26=25.00 2025-10-27=1.00");
    assert_eq!(ask(&figures, "orders total - 2025-10-26 2025-10-26"), "total=25");
    let by_hour = ask(&figures, "net_sales hour - 2025-10-26 2025-10-26");
    assert!(by_hour.starts_with("2025-10-26T00=1.00 2025-10-26T01=2.00 2025-10-26T02=1.00 "), "{by_hour}");
    assert_eq!(by_hour.split(' ').count(), 24);
}

#[test]
fn the_hour_that_spring_leaves_out_has_no_key_and_the_day_has_23_hours() {
    // The clock of London goes forward from 01:00 to 02:00 on 2026-03-29, at 01:00 UTC.
    let times: Vec<String> = (0..23).map(|hour| format!("2026-03-29T{hour:02}:00:00Z")).collect();
    let times: Vec<&str> = times.iter().map(String::as_str).chain(["2026-03-28T23:59:59Z", "2026-03-29T23:00:00Z"]).collect();
    let figures = shop_with_sales_at("Europe/London", &times);
    assert_eq!(ask(&figures, "net_sales day"), "2026-03-28=1.00 2026-03-29=23.00 2026-03-30=1.00");
    let by_hour = ask(&figures, "orders hour - 2026-03-29 2026-03-29");
    assert!(by_hour.starts_with("2026-03-29T00=1 2026-03-29T02=1 2026-03-29T03=1 "), "{by_hour}");
    assert_eq!(by_hour.split(' ').count(), 23);
}

#[test]
fn a_day_in_kolkata_begins_at_half_past_six_in_the_evening_before() {
    let figures = shop_with_sales_at("Asia/Kolkata", &["2026-01-05T18:29:59Z", "2026-01-05T18:30:00Z", "2026-01-06T18:29:59Z"]);
    assert_eq!(ask(&figures, "net_sales day"), "2026-01-05=1.00 2026-01-06=2.00");
    assert_eq!(ask(&figures, "orders quarter_hour"), "2026-01-05T23:45=1 2026-01-06T00:00=1 2026-01-06T23:45=1");
}
