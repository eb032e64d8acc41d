use kassa_model::Table;

use crate::testing::{Tables, ask, batch, figures, shop};
use crate::{Figures, Query};

mod calendar;
mod order;
mod size;
mod snapshot;

/// Four orders, with a return, a cancellation, an adjustment, a test and a line without a known rate.
pub(super) const SHOP: &Tables<'static> = &[
    (
        Table::FactSales,
        &[
            "movement=sale order=1 at=2026-01-05T10:00:00Z customer=ann country=gb channel=web product=lamp currency=GBP quantity=2 gross=20 discount=2 tax=3.6 shipping=1",
            "movement=sale order=1 at=2026-01-05T10:00:00Z customer=ann country=gb channel=web product=spade currency=GBP quantity=1 gross=10",
            "movement=sale order=2 at=2026-01-06T11:20:00Z customer=bob country=fr channel=web product=lamp currency=EUR quantity=1 gross=20",
            "movement=sale order=3 at=2026-02-02T09:00:00Z customer=ann country=gb channel=till product=spade currency=GBP quantity=3 gross=30 discount=3",
            "movement=return order=1 at=2026-01-05T10:00:00Z moved=2026-01-07T12:00:00Z customer=ann country=gb channel=web product=lamp currency=GBP quantity=-1 gross=-10 discount=-1 tax=-1.8",
            "movement=cancellation order=3 at=2026-02-02T09:00:00Z moved=2026-02-02T15:00:00Z customer=ann country=gb channel=till product=spade currency=GBP quantity=-1 gross=-10 discount=-1",
            "movement=adjustment order=1 at=2026-01-05T10:00:00Z moved=2026-01-08T08:00:00Z customer=ann country=gb channel=web currency=GBP quantity=0 gross=-0.5",
            "movement=sale order=4 at=2026-02-03T09:00:00Z country=se product=rug currency=SEK quantity=5 gross=80",
            "movement=sale order=5 at=2026-01-05T10:00:00Z customer=eve country=gb product=lamp currency=GBP quantity=99 gross=9999 test=1",
        ],
    ),
    (
        Table::FactOrder,
        &[
            "order=2 revision=2 at=2026-01-06T11:20:00Z customer=bob country=fr channel=web currency=EUR duty=3",
            "order=2 revision=1 at=2026-01-06T11:20:00Z customer=bob country=fr channel=web currency=EUR duty=4",
            "order=4 revision=1 at=2026-02-03T09:00:00Z country=se currency=SEK duty=7",
            "order=5 revision=1 at=2026-02-03T09:00:00Z country=se currency=GBP duty=7 test=1",
        ],
    ),
    (
        Table::FactPayment,
        &[
            "payment_id=a kind=sale status=SUCCESS at=2026-01-05T10:01:00Z method=card currency=GBP amount=28",
            "payment_id=b kind=capture parent_id=a status=success at=2026-01-05T10:02:00Z method=card currency=GBP amount=28",
            "payment_id=c kind=authorization status=success at=2026-01-06T11:21:00Z method=card currency=EUR amount=10",
            "payment_id=d kind=capture parent_id=c status=captured at=2026-01-07T09:00:00Z method=card currency=EUR amount=20",
            "payment_id=e kind=refund parent_id=a status=succeeded at=2026-01-07T12:01:00Z method=card currency=GBP amount=9",
            "payment_id=f kind=sale status=failure at=2026-02-02T09:01:00Z method=wallet currency=GBP amount=30",
            "payment_id=g kind=capture parent_id=f status=paid at=2026-02-02T09:05:00Z method=wallet currency=GBP amount=27",
            "payment_id=h kind=chargeback at=2026-02-04T09:05:00Z currency=GBP amount=-1",
            "payment_id=i kind=sale status=success at=2026-02-03T09:01:00Z method=card currency=SEK amount=99",
            "payment_id=j kind=sale status=success at=2026-02-03T09:01:00Z method=card currency=GBP amount=500 test=1",
        ],
    ),
    (
        Table::FactEvent,
        &[
            "type=product_viewed at=2026-01-05T09:50:00Z customer=ann person=ann session=s1",
            "type=product_added at=2026-01-05T09:55:00Z person=ann session=s1",
            "type=checkout_started at=2026-01-05T09:58:00Z customer=ann person=ann session=s1",
            "type=order_completed at=2026-01-05T10:00:00Z customer=ann person=ann session=s1",
            "type=product_added at=2026-01-05T12:10:00Z person=visitor session=s2",
            "type=product_viewed at=2026-01-05T12:00:00Z person=visitor session=s2",
            "type=checkout_started at=2026-01-05T11:55:00Z person=visitor session=s2",
            "type=product_viewed at=2026-01-06T08:00:00Z person=visitor session=s3",
            "type=page_viewed at=2026-01-06T08:00:00Z",
            "type=order_completed at=2026-01-05T10:00:00Z person=crawler session=s4 bot=1",
            "type=order_completed at=2026-01-05T10:00:00Z person=eve session=s5 test=1",
        ],
    ),
    (Table::FactFxRate, &["base=EUR quote=GBP day=20260106 rate=0.5 at=2026-01-06T00:00:00Z"]),
    (
        Table::DimProduct,
        &[
            "product=lamp product_id=L-1 name=Old_lamp category=lighting at=2026-01-01T00:00:00Z",
            "product=lamp product_id=L-1 name=Lamp category=lighting at=2026-01-09T00:00:00Z",
            "product=lamp product_id=L-1 name=Newest category=garden at=2026-01-10T00:00:00Z placeholder=1",
            "product=spade product_id=S-2 category=garden at=2026-01-01T00:00:00Z placeholder=1",
        ],
    ),
    (Table::DimCategory, &["category=lighting path=Home>Lighting", "category=garden path=Garden"]),
    (Table::DimCountry, &["country=gb code=GB name=United_Kingdom", "country=fr code=FR name=France"]),
    (Table::DimCustomer, &["customer=ann customer_id=c-1", "customer=bob customer_id=c-2"]),
    (Table::DimChannel, &["channel=web name=web", "channel=till name=till"]),
    (Table::DimPaymentMethod, &["method=card name=card", "method=wallet name=wallet"]),
];

#[test]
fn every_figure_has_its_value_by_hand() {
    let figures = figures("Europe/London", SHOP);
    for (question, expected) in [
        ("gross_sales", "total=70.00"),
        ("discounts", "total=5.00"),
        ("returns", "total=18.00"),
        ("adjustments", "total=-0.50"),
        ("net_sales", "total=46.50"),
        ("net_sales total order", "total=46.50"),
        ("total_sales", "total=50.80"),
        ("total_sales country", "GB=39.30 FR=11.50 unknown=0.00"),
        ("total_sales day - 2026-01-06 2026-01-06", "2026-01-06=11.50"),
        ("orders", "total=4"),
        ("aov", "total=16.25"),
        ("units", "total=10"),
        ("active_customers", "total=3"),
        ("sessions", "total=3"),
        ("conversion", "total=0.333333"),
        ("funnel", "viewed=3 added=2 checkout=1 paid=1"),
        ("abandoned_carts", "total=1"),
        ("new_customers", "total=2"),
        ("returning_customers", "total=1"),
        ("cohort_retention", "2026-01+0=1 2026-01+1=0.5"),
        ("repeat_rate", "total=0.5"),
        ("customer_value", "total=23.25"),
        ("customer_value customer", "c-1=36.50 c-2=10.00"),
        ("rfm", "R1F1M1=1 R3F3M3=1"),
        ("rfm customer", "c-1=333 c-2=111"),
        ("return_rate", "total=0.166667"),
        ("payments", "total=55.00"),
    ] {
        assert_eq!(ask(&figures, question), expected, "{question}");
    }
}

#[test]
fn a_figure_is_grouped_as_its_catalogue_says() {
    let figures = figures("Europe/London", SHOP);
    for (question, expected) in [
        ("net_sales day", "2026-01-05=28.00 2026-01-06=10.00 2026-01-07=-9.00 2026-01-08=-0.50 2026-02-02=18.00 2026-02-03=0.00"),
        ("net_sales day order", "2026-01-05=18.50 2026-01-06=10.00 2026-02-02=18.00 2026-02-03=0.00"),
        ("net_sales month order", "2026-01=28.50 2026-02=18.00"),
        ("net_sales week - 2026-01-05 2026-01-31", "2026-W02=28.50"),
        ("net_sales hour - 2026-02-02 2026-02-02", "2026-02-02T09=27.00 2026-02-02T15=-9.00"),
        ("net_sales hour order 2026-02-02 2026-02-02", "2026-02-02T09=18.00"),
        ("net_sales quarter_hour - 2026-01-06 2026-01-06", "2026-01-06T11:15=10.00"),
        ("net_sales category", "Garden=28.00 Home=19.00 Unknown=-0.50"),
        ("net_sales product", "S-2=28.00 L-1=19.00 unknown=-0.50"),
        ("net_sales country", "GB=36.50 FR=10.00 unknown=0.00"),
        ("net_sales customer", "c-1=36.50 c-2=10.00 unknown=0.00"),
        ("net_sales channel", "web=28.50 till=18.00 unknown=0.00"),
        ("net_sales currency", "GBP=36.50 EUR=10.00 SEK=0.00"),
        ("net_sales movement", "sale=65.00 adjustment=-0.50 cancellation=-9.00 return=-9.00"),
        ("returns day", "2026-01-07=9.00 2026-02-02=9.00"),
        ("returns day order", "2026-01-05=9.00 2026-02-02=9.00"),
        ("units product", "unknown=5 S-2=3 L-1=2"),
        ("orders day", "2026-01-05=1 2026-01-06=1 2026-02-02=1 2026-02-03=1"),
        ("orders hour - 2026-01-06 2026-01-06", "2026-01-06T11=1"),
        ("orders category", "Garden=2 Home=2 Unknown=1"),
        ("orders country - 2026-01-01 2026-01-31", "FR=1 GB=1"),
        ("orders customer", "c-1=2 c-2=1 unknown=1"),
        ("aov day", "2026-01-05=28.00 2026-01-06=10.00 2026-02-02=27.00 2026-02-03=0.00"),
        ("aov total - 2025-01-01 2025-01-31", "total=null"),
        ("return_rate category", "Home=0.333333 Garden=0.25 Unknown=0"),
        ("return_rate day", "2026-01-05=0.333333 2026-01-06=0 2026-02-02=0.333333 2026-02-03=0"),
        ("active_customers day", "2026-01-05=2 2026-01-06=2 2026-02-02=1"),
        ("active_customers month", "2026-01=3 2026-02=1"),
        ("sessions day", "2026-01-05=2 2026-01-06=1"),
        ("sessions hour - 2026-01-05 2026-01-05", "2026-01-05T09=1 2026-01-05T11=1"),
        ("conversion day", "2026-01-05=0.5 2026-01-06=0"),
        ("funnel step - 2026-01-06 2026-01-06", "viewed=1 added=0 checkout=0 paid=0"),
        ("new_customers month", "2026-01=2"),
        ("returning_customers month", "2026-02=1"),
        ("repeat_rate total - 2026-01-01 2026-01-31", "total=0"),
        ("payments month", "2026-01=29.00 2026-02=26.00"),
        ("payments method", "card=29.00 wallet=27.00 unknown=-1.00"),
        ("payments status", "SUCCESS=28.00 paid=27.00 captured=10.00 success=0.00 unknown=-1.00 succeeded=-9.00"),
        ("payments currency", "GBP=45.00 EUR=10.00 SEK=0.00"),
        ("customer_value total - 2027-01-01", "total=null"),
    ] {
        assert_eq!(ask(&figures, question), expected, "{question}");
    }
}

#[test]
fn an_answer_is_the_json_of_the_reference() {
    let figures = figures("Europe/London", SHOP);
    let query = Query::parse("net_sales", Some("country"), Some("2026-01-01"), None, None).unwrap();
    let json = serde_json::to_value(figures.answer(&query).unwrap()).unwrap();
    let expected = serde_json::json!({
        "figure": "net_sales", "unit": "money", "currency": "GBP", "basis": "movement", "time_zone": "Europe/London", "by": "country",
        "from": "2026-01-01", "to": null, "event_time": "2026-02-04T09:05:00Z",
        "unconverted": [{"currency": "SEK", "rows": 1}],
        "rows": [
            {"key": "GB", "label": "United_Kingdom", "value": "36.50"},
            {"key": "FR", "label": "France", "value": "10.00"},
            {"key": "unknown", "label": "Unknown", "value": "0.00"},
        ],
    });
    assert_eq!(json, expected);
}

#[test]
fn rows_without_a_rate_are_told_where_they_are_missing() {
    let figures = figures("Europe/London", SHOP);
    for (figure, from, expected) in [
        ("net_sales", None, 1),
        ("gross_sales", None, 1),
        ("aov", None, 1),
        ("total_sales", None, 2),
        ("payments", None, 1),
        ("net_sales", Some("2026-02-04"), 0),
        ("returns", None, 0),
        ("units", None, 0),
        ("orders", None, 0),
    ] {
        let answer = figures.answer(&Query::parse(figure, None, from, None, None).unwrap()).unwrap();
        assert_eq!(answer.unconverted.iter().map(|each| each.rows).sum::<i64>(), expected, "{figure} from {from:?}");
    }
}

#[test]
fn an_order_with_lines_at_two_times_and_places_stands_once() {
    let sale =
        |at: &str, country: &str| format!("movement=sale order=1 at={at} country={country} currency=GBP quantity=1 gross=1");
    let rows = [sale("2026-01-06T00:10:00Z", "gb"), sale("2026-01-05T23:50:00Z", "fr"), sale("2026-01-06T01:00:00Z", "fr")];
    let countries = batch(Table::DimCountry, &["country=gb code=GB name=GB", "country=fr code=FR name=FR"]);
    let mut figures = Figures::new(&shop("Europe/London"));
    figures.apply(Table::DimCountry, &countries).unwrap();
    figures.apply(Table::FactSales, &batch(Table::FactSales, &rows)).unwrap();
    assert_eq!(ask(&figures, "orders day"), "2026-01-05=1");
    assert_eq!(ask(&figures, "orders hour"), "2026-01-05T23=1");
    assert_eq!(ask(&figures, "orders country"), "FR=1 GB=1");
    assert_eq!(ask(&figures, "orders country - 2026-01-06"), "");
}

#[test]
fn a_projected_column_that_is_needed_is_named() {
    let rows = batch(Table::FactSales, &["movement=sale order=1 at=2026-01-06T00:10:00Z currency=GBP"]);
    let kept: Vec<usize> = (0..rows.num_columns()).filter(|at| *at != 4).collect();
    let error = Figures::new(&shop("Europe/London")).apply(Table::FactSales, &rows.project(&kept).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "fact_sales.customer_key is missing");
    let odd = batch(Table::FactSales, &["movement=barter order=1 at=2026-01-06T00:10:00Z currency=GBP"]);
    let error = Figures::new(&shop("Europe/London")).apply(Table::FactSales, &odd).unwrap_err();
    assert_eq!(error.to_string(), "fact_sales.movement holds \"barter\", which has no meaning here");
}

/// Every query of the catalogue.
pub(super) fn questions() -> impl Iterator<Item = Query> {
    crate::catalogue().iter().flat_map(|figure| {
        let bases =
            if figure.bases.is_empty() { vec![None] } else { figure.bases.iter().map(|basis| Some(basis.name())).collect() };
        let asked = bases.into_iter().flat_map(|basis| figure.groupings.iter().map(move |by| (by.name(), basis)));
        asked.map(|(by, basis)| Query::parse(figure.name, Some(by), None, None, basis).unwrap())
    })
}

#[test]
fn figures_that_are_folded_for_a_question_have_the_answer_of_all() {
    let all = figures("Europe/London", SHOP);
    let mut read = 0;
    for query in questions() {
        let mut asked = Figures::asked(&shop("Europe/London"), &query);
        for (table, rows) in SHOP {
            let whole = batch(*table, rows);
            let places: Vec<usize> = asked.reads(*table).iter().map(|name| whole.schema().index_of(name).unwrap()).collect();
            read += places.len();
            if !places.is_empty() {
                asked.apply(*table, &whole.project(&places).unwrap()).unwrap();
            }
        }
        let text = |figures: &Figures| format!("{:?}", figures.answer(&query).unwrap());
        assert_eq!(text(&asked), text(&all), "{} by {:?}", query.figure.name, query.by);
    }
    let whole: usize = SHOP.iter().map(|(table, _)| Figures::columns(*table).len()).sum();
    assert!(read < questions().count() * whole / 2, "{read} columns were read for {} questions", questions().count());
}
