//! The same rows in any order and any batches give the same answers, and sums of parts equal their totals.

use kassa_model::Table;
use proptest::prelude::*;

use crate::testing::{batch, shop};
use crate::{Answer, Basis, By, Figures, Live, Query, catalogue};

/// 2026-01-01 in seconds. London and UTC agree, so days are easy to aim at.
const START: i64 = 1_767_225_600;

fn time() -> impl Strategy<Value = String> {
    // Ten days, so that some are older than the days kept by minute; coarse, so that times coincide.
    (0_i64..10 * 96).prop_map(|quarter| (START + quarter * 900).to_string())
}

fn choice(of: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    proptest::sample::select(of)
}

fn sale() -> impl Strategy<Value = (Table, String)> {
    let movement = choice(&["sale", "sale", "sale", "return", "cancellation", "adjustment"]);
    let money = choice(&["currency=GBP", "currency=EUR", "currency=SEK"]);
    let flags = choice(&["", "", "", "", "", "test=1", "future=1"]);
    let members = (0_i64..3, 0_i64..3, 0_i64..3, 0_i64..2);
    (movement, 1_i64..8, time(), time(), members, -900_i64..900, (money, flags)).prop_map(
        |(movement, order, at, moved, (customer, product, country, channel), cents, (money, flags))| {
            let row = format!(
                "movement={movement} order={order} at={at} moved={moved} customer={customer} product={product} country={country} \
                 channel={channel} quantity={} gross={cents}.25 discount=0.5 tax=1.125 {money} {flags}",
                cents % 7
            );
            (Table::FactSales, row)
        },
    )
}

fn event() -> impl Strategy<Value = (Table, String)> {
    let kind = choice(&["page_viewed", "product_viewed", "product_added", "checkout_started", "order_completed"]);
    let flags = choice(&["", "", "", "", "", "bot=1", "test=1", "future=1"]);
    (kind, time(), 0_i64..3, 0_i64..4, 0_i64..6, flags).prop_map(|(kind, at, customer, person, session, flags)| {
        (Table::FactEvent, format!("type={kind} at={at} customer={customer} person={person} session={session} {flags}"))
    })
}

fn order() -> impl Strategy<Value = (Table, String)> {
    let duty = choice(&["", "duty=2", "duty=3"]);
    (1_i64..8, 0_i64..3, time(), 0_i64..3, duty).prop_map(|(order, revision, at, customer, duty)| {
        (Table::FactOrder, format!("order={order} revision={revision} at={at} customer={customer} currency=EUR {duty}"))
    })
}

fn payment() -> impl Strategy<Value = (Table, String)> {
    let kind = choice(&["sale", "capture", "authorization", "refund"]);
    let status = choice(&["", "status=success", "status=failure"]);
    let amount = choice(&["amount=5", "amount=2.5", ""]);
    (kind, 0_i64..5, 0_i64..5, time(), status, amount).prop_map(|(kind, id, parent, at, status, amount)| {
        (Table::FactPayment, format!("kind={kind} payment_id={id} parent_id={parent} at={at} currency=EUR {status} {amount}"))
    })
}

/// Pairs whose rates to the shop's currency are derived in every way: stated, inverse, through a common currency, and
/// combinations.
const ALL_WAYS: &[&str] =
    &["base=EUR quote=GBP", "base=GBP quote=EUR", "base=SEK quote=EUR", "base=EUR quote=SEK", "base=GBP quote=SEK"];
/// Pairs whose rates have few digits, so that nothing is rounded for display.
const STATED: &[&str] = &["base=EUR quote=GBP", "base=SEK quote=GBP"];

/// A rate of one of the ten days, or of the days before, which may contradict another.
fn rate(pairs: &'static [&'static str]) -> impl Strategy<Value = (Table, String)> {
    let day = prop_oneof![20_251_224_i32..20_251_232, 20_260_101_i32..20_260_111];
    (choice(pairs), day, time(), choice(&["0.5", "1.25", "11.3"]))
        .prop_map(|(pair, day, at, rate)| (Table::FactFxRate, format!("{pair} day={day} rate={rate} at={at}")))
}

fn dimension() -> impl Strategy<Value = (Table, String)> {
    let placeholder = choice(&["", "placeholder=1"]);
    (1_i64..3, time(), placeholder, 0_i64..5).prop_map(|(product, at, placeholder, offset)| {
        // One position in the source has one version of a product.
        let category = offset % 2 + 1;
        let row = format!("product={product} product_id=p{product} name=n{offset} category={category} at={at} source_offset={offset} {placeholder}");
        (Table::DimProduct, row)
    })
}

fn rows(pairs: &'static [&'static str]) -> impl Strategy<Value = Vec<(Table, String)>> {
    let row = prop_oneof![4 => sale(), 4 => event(), 1 => order(), 1 => payment(), 1 => dimension(), 1 => rate(pairs)];
    let categories =
        || [(Table::DimCategory, "category=1 path=A>B".to_owned()), (Table::DimCategory, "category=2 path=C".to_owned())];
    proptest::collection::vec(row, 1..60).prop_map(move |rows| rows.into_iter().chain(categories()).collect())
}

/// Applies rows in order, in batches of one table and at most `batch_max` rows.
fn fold(rows: &[(Table, String)], batch_max: usize) -> Figures {
    let mut figures = Figures::new(&shop("Europe/London"));
    apply(&mut figures, rows, batch_max, |_| {});
    figures
}

fn apply(figures: &mut Figures, rows: &[(Table, String)], batch_max: usize, mut after: impl FnMut(&mut Figures)) {
    for run in rows.chunk_by(|left, right| left.0 == right.0) {
        for part in run.chunks(batch_max) {
            let texts: Vec<&String> = part.iter().map(|(_, row)| row).collect();
            figures.apply(run[0].0, &batch(run[0].0, &texts)).unwrap();
            after(figures);
        }
    }
}

fn everything(figures: &Figures) -> (Vec<Answer>, [Live; 2]) {
    let ranges = [(None, None), (Some("2026-01-03"), Some("2026-01-05"))];
    let mut answers = Vec::new();
    for figure in catalogue() {
        for by in figure.groupings {
            for (from, to) in ranges {
                for basis in Basis::ALL {
                    let query = Query::parse(figure.name, Some(by.name()), from, to, Some(basis.name())).unwrap();
                    answers.push(figures.answer(&query).unwrap());
                }
            }
        }
    }
    (answers, Basis::ALL.map(|basis| figures.live(basis)))
}

/// A total in 10⁻⁶.
fn total(figures: &Figures, name: &str, by: By, basis: Basis) -> i128 {
    let query = Query::parse(name, Some(by.name()), None, None, Some(basis.name())).unwrap();
    let values = figures.answer(&query).unwrap().rows.into_iter().filter_map(|row| row.value);
    values.map(|text| i128::from(kassa_model::Amount::parse(&text).unwrap().0)).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_and_split_of_the_rows_do_not_matter(
        (rows, shuffled) in rows(ALL_WAYS).prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        batch_max in 1_usize..20,
    ) {
        let (one, other) = (fold(&rows, 1_000), fold(&shuffled, batch_max));
        prop_assert_eq!(one.event_time(), other.event_time());
        prop_assert_eq!(everything(&one), everything(&other));
    }

    #[test]
    fn what_should_add_up_does(rows in rows(STATED)) {
        let figures = fold(&rows, 7);
        for basis in Basis::ALL {
            let of = |name: &str, by: By| total(&figures, name, by, basis);
            let net = of("net_sales", By::Total);
            prop_assert_eq!(
                net,
                of("gross_sales", By::Total) - of("discounts", By::Total) - of("returns", By::Total) + of("adjustments", By::Total)
            );
            for by in [By::QuarterHour, By::Hour, By::Day, By::Week, By::Month, By::Category, By::Product, By::Country, By::Customer, By::Movement] {
                prop_assert_eq!(of("net_sales", by), net, "by {}", by.name());
                prop_assert_eq!(of("units", by), of("units", By::Total), "by {}", by.name());
            }
            for by in [By::QuarterHour, By::Day, By::Month] {
                prop_assert_eq!(of("orders", by), of("orders", By::Total), "by {}", by.name());
                prop_assert_eq!(of("sessions", by), of("sessions", By::Total), "by {}", by.name());
                prop_assert_eq!(of("total_sales", by), of("total_sales", By::Total), "by {}", by.name());
            }
            prop_assert_eq!(net, total(&figures, "net_sales", By::Total, Basis::Movement), "either basis holds every row");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// Days are packed after every batch, so that nearly every row is late for a packed day.
    #[test]
    fn packing_changes_no_answer(rows in rows(ALL_WAYS), batch_max in 1_usize..8, until in 0_i32..12) {
        let mut packed = Figures::new(&shop("Europe/London"));
        apply(&mut packed, &rows, batch_max, |figures| {
            figures.sales.settle(20_260_101 + until);
            figures.sessions.pack((START + i64::from(until) * 86_400) * 1_000_000);
        });
        prop_assert_eq!(everything(&packed), everything(&fold(&rows, batch_max)));
    }

    #[test]
    fn a_snapshot_keeps_its_answers_while_rows_are_applied(rows in rows(ALL_WAYS), cut in 0_usize..60, batch_max in 1_usize..8) {
        let (earlier, later) = rows.split_at(cut.min(rows.len()));
        let mut figures = fold(earlier, batch_max);
        let (snapshot, before) = (figures.clone(), everything(&figures));
        apply(&mut figures, later, batch_max, |_| {});
        prop_assert_eq!(everything(&snapshot), before);
        prop_assert_eq!(everything(&figures), everything(&fold(&rows, batch_max)));
    }

    #[test]
    fn saved_figures_have_the_answers_of_those_that_were_saved(rows in rows(ALL_WAYS)) {
        let figures = fold(&rows, 7);
        let saved = postcard::to_stdvec(&figures).unwrap();
        let loaded = Figures::load(&shop("Europe/London"), &mut postcard::Deserializer::from_bytes(&saved)).unwrap();
        prop_assert_eq!(everything(&loaded), everything(&figures));
    }
}
