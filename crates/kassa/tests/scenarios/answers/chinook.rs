use super::{Example, by_code};

/// Every figure of the answer key. Of its row counts, those of the tables that a contract takes; employees are none.
#[test]
fn chinook_gives_every_figure_of_its_answers_to_the_last_digit() {
    let Some(chinook) = Example::replayed("Chinook", "chinook") else { return };
    for figure in ["net_sales", "gross_sales", "total_sales"] {
        assert_eq!(chinook.figure(figure), chinook.answer("/revenue"), "{figure}");
    }
    assert_eq!(chinook.figure("net_sales"), chinook.answer("/revenue_from_lines"));
    groups(&chinook);
    headers(&chinook);
    rows(&chinook);
    chinook.has_been_asked_everything(&["Employee"]);
    chinook.changes_nothing_when_replayed_again();
}

fn groups(chinook: &Example) {
    assert_eq!(chinook.figure_by("net_sales", "category"), chinook.answers("/revenue_by_genre", ""));
    assert_eq!(chinook.figure_by("net_sales", "country"), by_code(chinook.answers("/revenue_by_country", "/revenue")));
    assert_eq!(chinook.figure_by("orders", "country"), by_code(chinook.answers("/revenue_by_country", "/invoices")));
    let padded = |key: &str| format!("{key:0>9}");
    assert_eq!(chinook.top_of("customer_value", "customer", "key", padded), chinook.top("/top10_customers_by_revenue"));
    let yearly = |value: &str| {
        let year = "order_date_key / 10000";
        chinook.sql_by(&format!("SELECT {year} AS key, {value} AS value FROM fact_sales GROUP BY {year}"))
    };
    assert_eq!(yearly("sum(net_amount)"), chinook.answers("/yearly", "/revenue"));
    assert_eq!(yearly("count(DISTINCT order_key)"), chinook.answers("/yearly", "/invoices"));
}

/// Compares the sums in the invoices' headers with those of their lines.
fn headers(chinook: &Example) {
    assert_eq!(chinook.sql("SELECT sum(total) FROM fact_order_current"), chinook.answer("/revenue"));
    let differ = "SELECT count(*) FROM fact_order_current o \
                  LEFT JOIN (SELECT order_key, sum(net_amount) AS net FROM fact_sales GROUP BY order_key) l ON l.order_key = o.order_key \
                  WHERE l.net IS NULL OR l.net <> o.total";
    assert_eq!(chinook.sql(differ), chinook.answer("/invoices_whose_total_differs_from_lines"));
    for (end, answer) in [("min", "/first"), ("max", "/last")] {
        let wall = format!("to_char({end}(ordered_at) AT TIME ZONE 'America/Edmonton', '%Y-%m-%d %H:%M:%S')");
        assert_eq!(chinook.sql(&format!("SELECT {wall} FROM fact_sales")), chinook.answer(answer));
    }
}

fn rows(chinook: &Example) {
    for (query, answer) in [
        ("SELECT count(*) FROM dim_customer_current WHERE NOT is_placeholder", "/rows/Customer"),
        ("SELECT count(*) FROM fact_order", "/rows/Invoice"),
        ("SELECT count(*) FROM fact_sales", "/rows/InvoiceLine"),
        ("SELECT count(*) FROM dim_product_current WHERE NOT is_placeholder", "/rows/Track"),
        ("SELECT count(DISTINCT path) FROM dim_category", "/rows/Genre"),
    ] {
        assert_eq!(chinook.sql(query), chinook.answer(answer), "{query}");
    }
}
