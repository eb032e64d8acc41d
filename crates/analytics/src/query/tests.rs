use super::*;

fn refusal(figure: &str, by: &str, from: &str, to: &str, basis: &str) -> String {
    Query::parse(figure, Some(by), Some(from), Some(to), Some(basis)).unwrap_err().to_string()
}

#[test]
fn a_refusal_names_the_nearest_word() {
    assert_eq!(refusal("netsales", "", "", "", ""), "no figure is called \"netsales\"; the nearest is \"net_sales\"");
    let text = refusal("net_sales", "quarterhour", "", "", "");
    assert!(text.contains("the nearest of its groupings is \"quarter_hour\" (it has total, hour,"), "{text}");
    assert!(refusal("payments", "product", "", "", "").contains("method, status, currency"), "payments name their groupings");
    assert_eq!(refusal("orders", "", "2026-1-1", "", ""), "from is \"2026-1-1\", expected a day such as 2026-01-31");
    assert_eq!(refusal("orders", "", "2026-01-02", "2026-01-01", ""), "from 2026-01-02 is after to 2026-01-01");
    assert_eq!(refusal("orders", "", "", "", "Order"), "no date basis is called \"Order\", expected \"movement\" or \"order\"");
}

#[test]
fn an_absent_word_has_its_default() {
    let query = Query::parse("net_sales", None, None, None, None).unwrap();
    assert_eq!((query.by, query.basis, query.days()), (By::Total, Some(Basis::Movement), Days::ALL));
    let query = Query::parse("orders", Some("day"), Some("2026-01-31"), None, Some("movement")).unwrap();
    assert_eq!((query.by, query.basis, query.days().from), (By::Day, Some(Basis::Order), 20260131));
    assert_eq!(Query::parse("funnel", Some("total"), None, None, None).unwrap().by, By::Step);
    assert_eq!(Query::parse("sessions", None, None, None, Some("order")).unwrap().basis, None);
}
