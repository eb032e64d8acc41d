use super::{Example, by_code, units};

/// Every figure of the answer key. Of its row counts, those of the tables that a contract takes; `suppliers` are brands here.
#[test]
fn northwind_gives_every_figure_of_its_answers_to_the_last_digit() {
    let Some(northwind) = Example::replayed("Northwind", "northwind") else { return };
    totals(&northwind);
    groups(&northwind);
    months(&northwind);
    headers(&northwind);
    rows(&northwind);
    northwind.has_been_asked_everything(&[
        "customer_customer_demo",
        "customer_demographics",
        "employee_territories",
        "employees",
        "region",
        "shippers",
        "territories",
        "us_states",
    ]);
    northwind.changes_nothing_when_replayed_again();
}

fn totals(northwind: &Example) {
    for (figure, answer) in [
        ("gross_sales", "/gross"),
        ("net_sales", "/net"),
        ("units", "/quantity"),
        ("orders", "/orders"),
        ("active_customers", "/customers_with_orders"),
        ("new_customers", "/customers_with_orders"),
    ] {
        assert_eq!(northwind.figure(figure), northwind.answer(answer), "{figure}");
    }
    let discounts = units(&northwind.answer("/gross")) - units(&northwind.answer("/net"));
    assert_eq!(units(&northwind.figure("discounts")), discounts);
    assert_eq!(northwind.sql("SELECT round(sum(net_amount), 2) FROM fact_sales"), northwind.answer("/net_2dp"));
}

fn groups(northwind: &Example) {
    assert_eq!(northwind.figure_by("net_sales", "category"), northwind.answers("/net_by_category", ""));
    assert_eq!(northwind.figure_by("net_sales", "country"), by_code(northwind.answers("/net_by_ship_country", "/net")));
    assert_eq!(northwind.figure_by("orders", "country"), by_code(northwind.answers("/net_by_ship_country", "/orders")));
    assert_eq!(northwind.top_of("net_sales", "product", "label", str::to_owned), northwind.top("/top10_products_by_net"));
    assert_eq!(northwind.top_of("customer_value", "customer", "key", str::to_owned), northwind.top("/top10_customers_by_net"));
    assert_eq!(northwind.top_of("net_sales", "customer", "key", str::to_owned), northwind.top("/top10_customers_by_net"));
}

fn months(northwind: &Example) {
    for (figure, part) in [("net_sales", "/net"), ("orders", "/orders"), ("active_customers", "/customers")] {
        assert_eq!(northwind.figure_by(figure, "month"), northwind.answers("/monthly", part), "{figure}");
    }
}

/// Compares the sums in the orders' headers.
fn headers(northwind: &Example) {
    assert_eq!(northwind.sql("SELECT sum(shipping) FROM fact_order_current"), northwind.answer("/freight"));
    let unfulfilled = "SELECT count(*) FROM fact_order_current WHERE fulfilment_status = 'unfulfilled' AND closed_at IS NULL";
    assert_eq!(northwind.sql(unfulfilled), northwind.answer("/orders_not_shipped"));
    for (end, answer) in [("min", "/first"), ("max", "/last")] {
        for table in ["fact_order", "fact_sales"] {
            let key = northwind.answer(answer).replace('-', "");
            assert_eq!(northwind.sql(&format!("SELECT {end}(order_date_key) FROM {table}")), key, "{table} {end}");
        }
    }
}

fn rows(northwind: &Example) {
    for (query, answer) in [
        ("SELECT count(*) FROM dim_customer_current WHERE NOT is_placeholder", "/customers"),
        ("SELECT count(*) FROM dim_customer", "/rows/customers"),
        ("SELECT count(DISTINCT customer_key) FROM fact_order", "/customers_with_orders"),
        ("SELECT count(*) FROM dim_product_current WHERE NOT is_placeholder", "/rows/products"),
        ("SELECT count(DISTINCT path) FROM dim_category", "/rows/categories"),
        ("SELECT count(DISTINCT brand) FROM dim_product", "/rows/suppliers"),
        ("SELECT count(*) FROM fact_order", "/rows/orders"),
        ("SELECT count(*) FROM fact_sales", "/rows/order_details"),
    ] {
        assert_eq!(northwind.sql(query), northwind.answer(answer), "{query}");
    }
}
