use super::*;

fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

#[test]
fn a_rate_counts_from_its_day_until_the_next() {
    let mut rates = Rates::new(currency("GBP"));
    let rate = |text: &str| Rate::parse(text).unwrap();
    rates.learn(currency("EUR"), currency("GBP"), 20_260_110, rate("0.86"), 1_000);
    rates.learn(currency("EUR"), currency("GBP"), 20_260_105, rate("0.85"), 1_000);
    rates.learn(currency("EUR"), currency("USD"), 20_260_106, rate("1.10"), 1_000);
    rates.learn(currency("USD"), currency("GBP"), 20_260_101, rate("0.75"), 1_000);
    for (day, expected) in
        [(20_260_104, None), (20_260_105, Some("0.85")), (20_260_109, Some("0.85")), (20_261_231, Some("0.86"))]
    {
        assert_eq!(rates.rate(currency("EUR"), day, 1_000), expected.map(rate), "{day}");
    }
    assert_eq!(rates.rate(currency("GBP"), 0, 0), Some(rate("1")));
    assert_eq!(rates.rate(currency("JPY"), 20_260_110, 1_000), None);
    rates.learn(currency("EUR"), currency("GBP"), 20_260_105, rate("0.9"), 2_000);
    assert_eq!(rates.rate(currency("EUR"), 20_260_105, 2_000), Some(rate("0.9")), "a corrected rate counts");
    assert_eq!(rates.rate(currency("EUR"), 20_260_105, 1_999), Some(rate("0.85")), "for those that came after it");
    assert_eq!(rates.rate(currency("EUR"), 20_260_110, 999), None, "a rate that came later is not known");
}

#[test]
fn reporting_amounts_are_rounded_once_each_and_all_there_or_none() {
    let amount = |text: &str| Amount::parse(text).unwrap();
    let amounts = ["10.01", "0.01", "2", "0"].map(amount);
    let reported = Reporting::of(amounts, Some(Rate::parse("0.333333333").unwrap()));
    assert_eq!(reported.gross, Some(amount("3.336667")));
    assert_eq!(reported.net, Some(amount("3.333334")), "gross − discount of the rounded, so that sums agree");
    let none = |amounts: [&str; 4], rate: &str| {
        let reported = Reporting::of(amounts.map(amount), Some(Rate::parse(rate).unwrap()));
        reported.gross.is_none() && reported.net.is_none() && reported.rate.is_none()
    };
    assert!(none(["999999999999", "0", "0", "0"], "2"));
    assert!(none(["600000000000", "-600000000000", "0", "0"], "1"), "the difference does not fit either");
    assert!(Reporting::of(amounts, None).gross.is_none());
}
