//! The cost of a snapshot: neither a clone nor a later change copies past days.

use kassa_model::Table;

use crate::Figures;
use crate::testing::{ask, batch, shop};

/// Orders of January, forty a day.
fn january() -> Figures {
    let mut figures = Figures::new(&shop("Europe/London"));
    for day in 1..=31 {
        let sale = |order: i32| {
            let hour = order % 24;
            format!(
                "movement=sale order=o{day}-{order} at=2026-01-{day:02}T{hour:02}:00:00Z customer=c{order} product=lamp currency=GBP quantity=1 gross=2"
            )
        };
        let rows: Vec<String> = (0..40).map(sale).collect();
        figures.apply(Table::FactSales, &batch(Table::FactSales, &rows)).unwrap();
    }
    figures
}

fn sell(figures: &mut Figures, at: &str) {
    let row = format!("movement=sale order=new at={at} customer=c1 product=lamp currency=GBP quantity=1 gross=2");
    figures.apply(Table::FactSales, &batch(Table::FactSales, &[row])).unwrap();
}

#[test]
fn a_row_of_today_copies_no_other_day_of_a_snapshot() {
    let mut figures = january();
    let snapshot = figures.clone();
    assert_eq!(figures.sales.shared_days(&snapshot.sales), (31, 31));
    sell(&mut figures, "2026-01-31T23:30:00Z");
    assert_eq!(figures.sales.shared_days(&snapshot.sales), (30, 31));
    let (shared, all) = figures.orders.shared_leaves(&snapshot.orders);
    assert!(all > 20 && shared + 2 >= all, "{shared} of {all} leaves of orders are shared");
    assert_eq!((ask(&snapshot, "orders"), ask(&figures, "orders")), ("total=1240".to_owned(), "total=1241".to_owned()));
}

#[test]
fn a_late_row_copies_its_day_of_a_snapshot_and_no_other() {
    let mut figures = january();
    let snapshot = figures.clone();
    sell(&mut figures, "2026-01-03T12:00:00Z");
    assert_eq!(figures.sales.shared_days(&snapshot.sales), (30, 31));
    let day = "orders day - 2026-01-03 2026-01-03";
    assert_eq!((ask(&snapshot, day), ask(&figures, day)), ("2026-01-03=40".to_owned(), "2026-01-03=41".to_owned()));
}
