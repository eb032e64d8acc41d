use super::Example;

#[test]
fn the_jaffle_shop_gives_every_figure_of_its_answers_to_the_last_digit() {
    let Some(jaffle) = Example::replayed("Jaffle shop", "jaffle-shop") else { return };
    assert_eq!(jaffle.figure("payments"), jaffle.answer("/revenue"));
    assert_eq!(jaffle.figure_by("payments", "method"), jaffle.answers("/revenue_by_payment_method", ""));
    assert_eq!(jaffle.figure_by("payments", "month"), jaffle.answers("/revenue_by_month", ""));
    assert_eq!(jaffle.figure("active_customers"), jaffle.answer("/customers_with_orders"));
    by_status(&jaffle);
    rows(&jaffle);
    jaffle.has_been_asked_everything(&[]);
    jaffle.changes_nothing_when_replayed_again();
}

/// By the status of the order, which a payment does not have.
fn by_status(jaffle: &Example) {
    let orders = "SELECT status AS key, count(*) AS value FROM fact_order_current GROUP BY status";
    assert_eq!(jaffle.sql_by(orders), jaffle.answers("/orders_by_status", ""));
    let paid = "SELECT o.status AS key, sum(p.amount) AS value FROM fact_payment p \
                JOIN fact_order_current o ON o.order_key = p.order_key GROUP BY o.status";
    assert_eq!(jaffle.sql_by(paid), jaffle.answers("/revenue_by_status", ""));
}

fn rows(jaffle: &Example) {
    for (query, answer) in [
        ("SELECT count(*) FROM dim_customer_current WHERE NOT is_placeholder", "/customers"),
        ("SELECT count(DISTINCT customer_key) FROM fact_order WHERE customer_key <> 0", "/customers_with_orders"),
        ("SELECT count(*) FROM fact_order_current", "/orders"),
        ("SELECT count(*) FROM fact_payment", "/payments"),
    ] {
        assert_eq!(jaffle.sql(query), jaffle.answer(answer), "{query}");
    }
    for (end, answer) in [("min", "/first"), ("max", "/last")] {
        let key = jaffle.answer(answer).replace('-', "");
        assert_eq!(jaffle.sql(&format!("SELECT {end}(order_date_key) FROM fact_order")), key, "{end}");
    }
}
