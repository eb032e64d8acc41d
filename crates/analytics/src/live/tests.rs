use kassa_model::Table;

use crate::figures::Figures;
use crate::testing::{Tables, ask, batch, figures, shop};
use crate::{Basis, Live};

/// Friday the 9th up to 10:20, the day before, and the same weekday a week before; records begin on the 2nd.
const SHOP: &Tables<'static> = &[
    (
        Table::FactSales,
        &[
            "movement=sale order=1 at=2026-01-02T09:05:00Z customer=ann country=gb product=lamp currency=GBP quantity=1 gross=10",
            "movement=sale order=2 at=2026-01-02T10:20:59Z customer=bob country=gb product=lamp currency=GBP quantity=2 gross=20",
            "movement=sale order=3 at=2026-01-02T10:21:00Z customer=cat country=gb product=lamp currency=GBP quantity=4 gross=40",
            "movement=sale order=4 at=2026-01-08T10:00:00Z customer=ann country=gb product=lamp currency=GBP quantity=1 gross=5",
            "movement=sale order=5 at=2026-01-09T00:10:00Z customer=ann country=gb product=lamp currency=GBP quantity=1 gross=7",
            "movement=sale order=5 at=2026-01-09T00:10:00Z customer=ann country=gb product=spade currency=GBP quantity=3 gross=9 discount=1",
            "movement=sale order=6 at=2026-01-09T10:16:00Z customer=dan country=fr product=lamp currency=GBP quantity=1 gross=8",
            "movement=return order=1 at=2026-01-02T09:05:00Z moved=2026-01-09T09:00:00Z customer=ann country=gb product=lamp currency=GBP quantity=-1 gross=-10",
        ],
    ),
    (
        Table::FactEvent,
        &[
            "type=product_viewed at=2026-01-02T09:55:00Z person=bob session=a",
            "type=order_completed at=2026-01-02T10:20:30Z person=bob session=a",
            "type=product_viewed at=2026-01-02T10:00:00Z person=eve session=b",
            "type=order_completed at=2026-01-02T10:25:00Z person=eve session=b",
            "type=product_viewed at=2026-01-09T10:20:00Z person=dan session=c",
            "type=product_viewed at=2026-01-09T10:05:00Z person=fay session=d",
            "type=product_added at=2026-01-09T10:06:00Z person=fay session=d",
            "type=checkout_started at=2026-01-09T10:07:00Z person=fay session=d",
            "type=order_completed at=2026-01-09T10:08:00Z person=fay session=d",
            "type=page_viewed at=2026-02-01T00:00:00Z person=far session=e future=1",
        ],
    ),
    (
        Table::DimProduct,
        &[
            "product=lamp product_id=L name=Lamp category=home at=2026-01-01T00:00:00Z",
            "product=spade product_id=S category=garden at=2026-01-01T00:00:00Z",
        ],
    ),
    (Table::DimCategory, &["category=home path=Home", "category=garden path=Garden>Tools"]),
    (Table::DimCountry, &["country=gb code=GB name=United_Kingdom", "country=fr code=FR name=France"]),
];

fn tile(live: &Live, figure: &str) -> String {
    let tile = live.tiles.iter().find(|tile| tile.figure == figure).unwrap();
    [&tile.value, &tile.yesterday, &tile.last_week].map(|value| value.as_deref().unwrap_or("null")).join(" ")
}

#[test]
fn a_tile_compares_with_other_days_up_to_the_same_minute() {
    let figures = figures("Europe/London", SHOP);
    let live = figures.live(Basis::Movement);
    assert_eq!((live.shop.today.as_deref(), live.shop.minute), (Some("2026-01-09"), Some(620)));
    for (figure, expected) in [
        ("net_sales", "13.00 5.00 30.00"),
        ("orders", "2 1 2"),
        ("aov", "11.50 5.00 15.00"),
        ("units", "4 1 3"),
        ("active_customers", "3 1 3"),
        ("conversion", "0.5 null 0.5"),
    ] {
        assert_eq!(tile(&live, figure), expected, "{figure}");
        let day = ask(&figures, &format!("{figure} - - 2026-01-09 2026-01-09"));
        assert_eq!(format!("total={}", expected.split(' ').next().unwrap()), day, "a tile is the figure of its day");
    }
    assert_eq!(tile(&figures.live(Basis::Order), "net_sales"), "23.00 5.00 20.00", "the return goes back to last Friday");
}

#[test]
fn the_day_is_told_by_quarter_hours_up_to_now() {
    let live = figures("Europe/London", SHOP).live(Basis::Movement);
    assert_eq!((live.day.today.len(), live.day.last_week.len()), (42, 96));
    assert_eq!(
        [&live.day.today[0], &live.day.today[35], &live.day.today[36], &live.day.today[41]],
        ["15.00", "15.00", "5.00", "13.00"]
    );
    assert_eq!(live.day.last_week_total.as_deref(), Some("70.00"));
    let net = &live.tiles[0];
    assert_eq!((net.today.len(), net.today[36].as_deref(), net.ghost[36].as_deref()), (42, Some("-10.00"), Some("10.00")));
    let conversion = &live.tiles[5];
    assert_eq!(
        [&conversion.today[39], &conversion.today[40], &conversion.today[41]].map(Option::as_deref),
        [None, Some("1"), Some("0")]
    );
    let active = &live.tiles[4];
    assert_eq!(active.today[40..].iter().map(Option::as_deref).collect::<Vec<_>>(), [Some("1"), Some("1")]);
    assert_eq!(
        (live.orders_by_hour.today.clone(), live.orders_by_hour.last_week.len()),
        (vec![1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 24)
    );
    assert_eq!(live.orders_by_hour.last_week[10], 2);
}

#[test]
fn the_tables_of_the_page_are_todays() {
    let live = figures("Europe/London", SHOP).live(Basis::Movement);
    let json = serde_json::to_value(&live).unwrap();
    assert_eq!(
        json["funnel"],
        serde_json::json!([
            {"step": "viewed", "sessions": 2}, {"step": "added", "sessions": 1},
            {"step": "checkout", "sessions": 1}, {"step": "paid", "sessions": 1},
        ])
    );
    assert_eq!(
        json["by_category"],
        serde_json::json!([{"key": "Garden", "label": "Garden", "net": "8.00"}, {"key": "Home", "label": "Home", "net": "5.00"}])
    );
    assert_eq!(
        json["by_country"],
        serde_json::json!([
            {"key": "FR", "label": "France", "net": "8.00", "orders": 1},
            {"key": "GB", "label": "United_Kingdom", "net": "5.00", "orders": 1},
        ])
    );
    let hours = |at: &[(usize, &'static str)]| {
        let mut trend = vec!["0.00"; 11];
        at.iter().for_each(|(hour, net)| trend[*hour] = net);
        trend
    };
    assert_eq!(
        json["top_products"],
        serde_json::json!([
            {"key": "S", "label": "S", "units": "3", "net": "8.00", "return_rate": "0", "trend": hours(&[(0, "8.00")])},
            {"key": "L", "label": "Lamp", "units": "1", "net": "5.00", "return_rate": "0.1",
             "trend": hours(&[(0, "7.00"), (9, "-10.00"), (10, "8.00")])},
        ])
    );
}

#[test]
fn before_the_first_event_nothing_is_known() {
    let live = Figures::new(&shop("Europe/London")).live(Basis::Movement);
    assert_eq!((live.shop.today, live.tiles.len(), live.tiles[0].value.clone()), (None, 6, None));
}

#[test]
fn the_ninth_category_and_those_after_it_are_other() {
    let mut figures = Figures::new(&shop("Europe/London"));
    let products: Vec<String> =
        (1..=10).map(|at| format!("product={at} product_id=p{at} category={at} at=2026-01-01T00:00:00Z")).collect();
    let categories: Vec<String> = (1..=10).map(|at| format!("category={at} path=c{at:02}")).collect();
    let sale = |at| format!("movement=sale order=1 product={at} at=2026-01-05T10:00:00Z currency=GBP quantity=1 gross={at}");
    let sales: Vec<String> = (1..=10).map(sale).collect();
    for (table, rows) in [(Table::DimProduct, products), (Table::DimCategory, categories), (Table::FactSales, sales)] {
        figures.apply(table, &batch(table, &rows)).unwrap();
    }
    let rows = figures.live(Basis::Movement).by_category;
    let rows: Vec<(&str, &str)> = rows.iter().map(|row| (row.key.as_str(), row.net.as_str())).collect();
    assert_eq!((rows.len(), rows[0], rows[7], rows[8]), (9, ("c10", "10.00"), ("c03", "3.00"), ("Other", "3.00")));
}

#[test]
fn a_day_that_the_watermark_has_left_a_week_behind_is_kept_in_figures_only() {
    let mut figures = figures("Europe/London", SHOP);
    let next = batch(Table::FactEvent, &["type=product_viewed at=2026-01-30T12:00:00Z person=zoe session=z"]);
    figures.apply(Table::FactEvent, &next).unwrap();
    let late = batch(Table::FactEvent, &["type=product_viewed at=2026-01-02T12:00:00Z person=late session=l"]);
    figures.apply(Table::FactEvent, &late).unwrap();
    assert_eq!(ask(&figures, "active_customers day - - 2026-01-02"), "2026-01-02=5");
    let live = figures.live(Basis::Movement);
    assert_eq!(tile(&live, "net_sales"), "0.00 0.00 0.00");
    assert_eq!(tile(&live, "active_customers"), "1 0 0");
}
