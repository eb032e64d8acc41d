//! Each contract from JSON to the rows of its tables.

use super::*;

const EVENT: &str = r#"{"event_id":"e7","occurred_at":"2026-01-12T09:00:00.25Z","source":"web","schema_version":"1","sent_at":1768208401,
 "store_id":"s1","channel":"app","session_id":"n1","anonymous_id":"a1","customer_id":"c1","is_test":false,"is_bot":true,
 "type":"product_added","product_id":"p1","quantity":2,"price":"12.50","currency":"GBP","url":"https://x/?q=1","referrer":"r",
 "utm_source":"us","utm_medium":"um","utm_campaign":"uc","utm_term":"ut","utm_content":"uo","device":"phone","country":"EIRE",
 "search_query":"tea cup","list_id":"l1","position":3,"cart_id":"k1","checkout_id":"h1","order_id":"o1","mood":{"a":[1, 2]},"x":null}"#;

#[test]
fn an_event_becomes_one_fact_and_the_members_it_names() {
    let done = accepted(Contract::Event, EVENT);
    use Table::{DimChannel, DimCountry, DimCurrency, DimCustomer, DimProduct, FactEvent};
    assert_eq!(done.tables(), [FactEvent, DimCustomer, DimProduct, DimCountry, DimChannel, DimCurrency]);
    let row = &done.rows(FactEvent)[0];
    let key = |kind: &str, parts: &[&str]| KEYS.key(kind, parts).stored().to_string();
    has(
        row,
        &[
            ("type", "product_added"),
            ("custom_type", "∅"),
            ("event_date_key", "20260112"),
            ("occurred_at", "2026-01-12T09:00:00.25Z"),
            ("session_id", "n1"),
            ("anonymous_id", "a1"),
            ("quantity", "2"),
            ("price", "12.5"),
            ("currency", "GBP"),
            ("url", "https://x/?q=1"),
            ("utm_content", "uo"),
            ("device", "phone"),
            ("search_query", "tea cup"),
            ("position", "3"),
            ("order_id", "o1"),
            ("is_test", "false"),
            ("is_bot", "true"),
            ("is_future", "false"),
            ("customer_key", &key("customer", &["s1", "c1"])),
            ("person_key", &key("customer", &["s1", "c1"])),
            ("session_key", &key("session", &["s1", "n1"])),
            ("product_key", &key("product", &["s1", "", "p1"])),
            ("channel_key", &key("channel", &["app"])),
            ("country_key", &key("country", &["IE"])),
            ("order_key", &key("order", &["s1", "o1"])),
        ],
    );
    assert_eq!(row["extra"], r#"{"mood":{"a":[1, 2]},"x":null}"#, "an unknown field is kept as it came");
}

#[test]
fn every_row_says_where_it_comes_from() {
    let done = Done::of(&mut stage(Contract::Event), 41, &[b"{}", EVENT.as_bytes()]);
    for (table, _) in done.batch.tables().iter().filter(|(table, _)| *table != Table::Rejected) {
        for row in done.rows(*table) {
            has(
                &row,
                &[
                    ("source_topic", "t"),
                    ("source_partition", "0"),
                    ("source_offset", "42"),
                    ("event_id", "e7"),
                    ("source", "web"),
                    ("store_id", "s1"),
                    ("ingested_at", "2026-01-12T09:30:00Z"),
                ],
            );
        }
    }
    has(&done.rows(Table::FactEvent)[0], &[("source_index", "0")]);
}

#[test]
fn visitors_are_persons_apart_and_unknown_types_are_custom() {
    let first = accepted(Contract::Event, r#"{"event_id":"e1","occurred_at":0,"type":"jumped","anonymous_id":"a1"}"#);
    has(
        &first.rows(Table::FactEvent)[0],
        &[
            ("type", "custom"),
            ("custom_type", "jumped"),
            ("customer_key", "0"),
            ("person_key", &KEYS.key("visitor", &["", "a1"]).stored().to_string()),
            ("session_key", "0"),
            ("product_key", "0"),
            ("extra", "∅"),
        ],
    );
    assert_eq!(first.tables(), [Table::FactEvent]);
}

const ORDER: &str = r#"{"event_id":"x","occurred_at":"2026-01-12T09:00:00Z","order_id":"1001","revision":2,"status":"open","financial_status":"paid",
 "fulfilment_status":"none","placed_at":"2026-01-11T23:30:00Z","processed_at":"2026-01-12T00:00:00Z","paid_at":"2026-01-12T00:10:00Z",
 "cancelled_at":null,"closed_at":"","cancel_reason":"","customer_id":"c1","channel":"web","currency":"GBP","shop_currency":"GBP","tax_included":true,
 "subtotal":"17.00","discount":"1.00","tax":"3.40","shipping":"4.99","duty":"0","tip":"0.50","gift_card":"0.00","total":"24.89",
 "coupons":["WINTER","VIP"],"attribution":"mail","note":"ring twice",
 "billing_address":{"city":"Leeds","country":"GB","postcode":"LS1","street":"1 High St","region":"W Yorks","floor":3},
 "shipping_address":{"city":"Cork","country":"Ireland"},
 "lines":[{"line_id":"1","product_id":"p1","variant_id":"v","sku":"S1","name":"Cup","brand":"B","category":["Home","Cups"],"quantity":2,"unit_price":"4.00","discount":"1.00","tax":"1.4","gift_wrap":true},
          {"line_id":"2","product_id":"p2","quantity":"1","amount":"10.00","unit_price":"9.99","currency":"GBP","promotion":"SPRING","is_gift_card":true,"shipping_address":{"country":"FR"}}]}"#;

#[test]
fn an_order_becomes_a_revision_and_a_movement_a_line() {
    let done = accepted(Contract::Order, ORDER);
    has(
        &done.rows(Table::FactOrder)[0],
        &[
            ("order_id", "1001"),
            ("revision", "2"),
            ("order_date_key", "20260111"),
            ("status", "open"),
            ("financial_status", "paid"),
            ("occurred_at", "2026-01-12T09:00:00Z"),
            ("placed_at", "2026-01-11T23:30:00Z"),
            ("paid_at", "2026-01-12T00:10:00Z"),
            ("cancelled_at", "∅"),
            ("closed_at", "∅"),
            ("cancel_reason", "∅"),
            ("currency", "GBP"),
            ("tax_included", "true"),
            ("subtotal", "17"),
            ("total", "24.89"),
            ("coupons", "WINTER,VIP"),
            ("attribution", "mail"),
            ("lines_differ", "false"),
            ("extra", r#"{"note":"ring twice","billing_address.floor":3}"#),
            ("source_index", "0"),
        ],
    );
    let lines = done.rows(Table::FactSales);
    has(
        &lines[0],
        &[
            ("order_id", "1001"),
            ("line_id", "1"),
            ("movement", "sale"),
            ("order_date_key", "20260111"),
            ("movement_date_key", "20260112"),
            ("quantity", "2"),
            ("unit_price", "4"),
            ("gross_amount", "8"),
            ("discount_amount", "1"),
            ("net_amount", "7"),
            ("tax_amount", "1.4"),
            ("currency", "GBP"),
            ("promotion_key", "0"),
            ("extra", r#"{"gift_wrap":true}"#),
            ("source_index", "1"),
        ],
    );
    has(
        &lines[1],
        &[
            ("line_id", "2"),
            ("gross_amount", "10"),
            ("is_gift_card", "true"),
            ("extra", "∅"),
            ("source_index", "2"),
            ("promotion_key", &KEYS.key("promotion", &["SPRING"]).stored().to_string()),
            ("ship_country_key", &KEYS.key("country", &["FR"]).stored().to_string()),
        ],
    );
    assert_ne!(lines[0]["ship_address_key"], lines[1]["ship_address_key"], "a line may go elsewhere");
    let names = |table, column: &str| done.rows(table).iter().map(|row| row[column].clone()).collect::<Vec<_>>();
    assert_eq!(names(Table::DimCity, "name"), ["Leeds", "Cork"]);
    assert_eq!(names(Table::DimCountry, "code"), ["GB", "IE", "FR"]);
    assert_eq!(names(Table::DimPromotion, "code"), ["WINTER", "SPRING"]);
    assert_eq!(names(Table::DimCategory, "path"), ["Home", "Home > Cups"]);
    has(
        &done.rows(Table::DimProduct)[0],
        &[("product_id", "p1"), ("name", "Cup"), ("is_placeholder", "true"), ("variant_id", "v")],
    );
}

#[test]
fn lines_that_contradict_the_header_are_flagged_whatever_was_seen_before() {
    let order = |revision: u32, subtotal: &str, lines: &str| {
        format!(
            r#"{{"occurred_at":0,"order_id":"1","revision":{revision},"currency":"GBP","subtotal":{subtotal},"lines":[{lines}]}}"#
        )
    };
    let line = |id: u32| format!(r#"{{"line_id":{id},"quantity":1,"unit_price":"5.00"}}"#);
    let both = [line(1), line(2)].join(",");
    let mut stage = stage(Contract::Order);
    let values = [order(0, "5.00", &line(1)), order(1, "10.02", &both), order(2, "10.03", &both), order(3, "-9e11", "")];
    let values: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
    let rows = Done::of(&mut stage, 0, &values).rows(Table::FactOrder);
    let flags: Vec<&str> = rows.iter().map(|row| row["lines_differ"].as_str()).collect();
    assert_eq!(flags, ["false", "false", "true", "false"], "a minor unit a line is rounding");
}

#[test]
fn an_order_line_becomes_a_movement() {
    let done = accepted(
        Contract::OrderLine,
        r#"{"event_id":"e","occurred_at":1768208400000,"order_id":"o","line_id":"l","placed_at":"2026-01-02","product_id":"p","name":"Cup",
            "category":"Home > Cups>Tea","quantity":"3.500","list_price":5,"unit_price":4.999999,"tax":0.7,"shipping":1,"currency":"GBP",
            "promotion":"P","is_test":1,"shipping_address":{"country":"United Kingdom","postcode":"LS1"},"is_gift_card":"false"}"#,
    );
    has(
        &done.rows(Table::FactSales)[0],
        &[
            ("quantity", "3.5"),
            ("unit_price", "4.999999"),
            ("list_price", "5"),
            ("gross_amount", "17.499996"),
            ("net_amount", "17.499996"),
            ("tax_amount", "0.7"),
            ("shipping_amount", "1"),
            ("ordered_at", "2026-01-02T00:00:00Z"),
            ("moved_at", "2026-01-12T09:00:00Z"),
            ("is_test", "true"),
            ("movement", "sale"),
        ],
    );
    let paths: Vec<String> = done.rows(Table::DimCategory).iter().map(|row| row["path"].clone()).collect();
    assert_eq!(paths, ["Home", "Home > Cups", "Home > Cups > Tea"]);
    has(
        &done.rows(Table::DimCategory)[2],
        &[("level", "3"), ("name", "Tea"), ("parent_key", &done.rows(Table::DimCategory)[1]["category_key"])],
    );
}

#[test]
fn what_goes_back_never_adds() {
    for (movement, quantity, money, expected) in [
        ("return", "2", r#""unit_price":"5.00","discount":"1.00","tax":"2""#, ["-2", "-10", "-1", "-9", "-2"]),
        ("return", "-2", r#""unit_price":"5.00","discount":"-1.00""#, ["-2", "-10", "-1", "-9", "0"]),
        ("cancellation", "1", r#""amount":"8.00""#, ["-1", "-8", "0", "-8", "0"]),
        ("return", "1", r#""amount":"-8.00""#, ["-1", "-8", "0", "-8", "0"]),
        ("return", "-1", r#""amount":"8.00""#, ["-1", "-8", "0", "-8", "0"]),
        ("return", "0", r#""amount":"3.00""#, ["0", "-3", "0", "-3", "0"]),
        ("adjustment", "-1", r#""amount":"3.00""#, ["-1", "3", "0", "3", "0"]),
        ("sale", "1", r#""amount":"-3.00""#, ["1", "-3", "0", "-3", "0"]),
    ] {
        let text = format!(
            r#"{{"occurred_at":0,"order_id":"o","line_id":"l","movement":"{movement}","quantity":{quantity},{money},"currency":"GBP"}}"#
        );
        let row = &accepted(Contract::OrderLine, &text).rows(Table::FactSales)[0];
        let found = ["quantity", "gross_amount", "discount_amount", "net_amount", "tax_amount"].map(|name| row[name].as_str());
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_payment_becomes_a_fact_in_its_own_currency_and_in_the_shops() {
    let done = accepted(
        Contract::Payment,
        r#"{"occurred_at":"2026-01-12T09:00:00+02:00","payment_id":"p","order_id":"o","kind":"capture","parent_id":"a","status":"ok","gateway":"g",
            "method":"card","amount":"10.00","currency":"EUR","instalments":3,"sequence":1}"#,
    );
    has(
        &done.rows(Table::FactPayment)[0],
        &[
            ("kind", "capture"),
            ("parent_id", "a"),
            ("amount", "10"),
            ("currency", "EUR"),
            ("instalments", "3"),
            ("sequence", "1"),
            ("payment_date_key", "20260112"),
            ("occurred_at", "2026-01-12T07:00:00Z"),
            ("event_id", "payment/p/capture"),
        ],
    );
    has(&done.rows(Table::DimPaymentMethod)[0], &[("name", "card")]);
}

#[test]
fn a_refund_becomes_returns_and_one_adjustment() {
    let done = accepted(
        Contract::Refund,
        r#"{"occurred_at":0,"refund_id":"r1","order_id":"o1","currency":"GBP","shipping":"4.99","adjustments":"-1.00","reason":"late","agent":"Bo",
            "lines":[{"line_id":"a/b","product_id":"p1","quantity":1,"amount":"8.00","tax":"1.60","restock":true,"why":"x"},{"line_id":"2","quantity":2,"amount":3}]}"#,
    );
    let rows = done.rows(Table::FactSales);
    has(
        &rows[0],
        &[
            ("line_id", "r1/a%2Fb"),
            ("movement", "return"),
            ("quantity", "-1"),
            ("gross_amount", "-8"),
            ("tax_amount", "-1.6"),
            ("extra", r#"{"agent":"Bo","why":"x"}"#),
            ("source_index", "1"),
        ],
    );
    has(&rows[1], &[("line_id", "r1/2"), ("net_amount", "-3"), ("extra", "∅"), ("source_index", "2")]);
    has(
        &rows[2],
        &[
            ("line_id", "r1"),
            ("movement", "adjustment"),
            ("gross_amount", "1"),
            ("shipping_amount", "-4.99"),
            ("source_index", "0"),
            ("extra", "∅"),
        ],
    );
    let empty = accepted(Contract::Refund, minimal(Contract::Refund));
    has(&empty.rows(Table::FactSales)[0], &[("movement", "adjustment"), ("net_amount", "0"), ("line_id", "r1")]);
}

#[test]
fn personal_data_lies_in_the_vault_alone() {
    let done = accepted(
        Contract::Customer,
        r#"{"occurred_at":"2026-01-01T00:00:00Z","customer_id":"c1","name":"Ada L","email":"a@x","phone":"1","segment":"vip","consent":"mail",
            "address":{"street":"1 High St","postcode":"LS1","city":"Leeds","region":"Y","country":"GB"}}"#,
    );
    let customer = &done.rows(Table::DimCustomer)[0];
    has(
        customer,
        &[
            ("customer_id", "c1"),
            ("segment", "vip"),
            ("consent", "mail"),
            ("is_placeholder", "false"),
            ("valid_from", "2026-01-01T00:00:00Z"),
        ],
    );
    has(
        &done.rows(Table::VaultCustomer)[0],
        &[("name", "Ada L"), ("email", "a@x"), ("street", "1 High St"), ("postcode", "LS1")],
    );
    for (table, _) in done.batch.tables().iter().filter(|(table, _)| *table != Table::VaultCustomer) {
        for (name, value) in done.rows(*table).into_iter().flatten() {
            assert!(!["Ada L", "a@x", "1 High St", "LS1"].contains(&value.as_str()), "{name} of {table:?} holds {value}");
        }
    }
    assert_eq!(accepted(Contract::Customer, minimal(Contract::Customer)).tables(), [Table::DimCustomer]);
}

#[test]
fn products_stock_and_rates_become_rows() {
    let product = accepted(
        Contract::Product,
        r#"{"occurred_at":0,"product_id":"p","variant_id":"v","sku":"s","name":"Cup","brand":"B","category":["A","B"],"price":"9.99","cost":"3","currency":"GBP","status":"live"}"#,
    );
    has(
        &product.rows(Table::DimProduct)[0],
        &[("price", "9.99"), ("cost", "3"), ("status", "live"), ("is_placeholder", "false"), ("brand", "B")],
    );
    let stock = accepted(Contract::Inventory, minimal(Contract::Inventory));
    has(&stock.rows(Table::FactInventory)[0], &[("location", "x"), ("level", "3"), ("inventory_date_key", "20260112")]);
    let rate = accepted(Contract::FxRate, minimal(Contract::FxRate));
    has(&rate.rows(Table::FactFxRate)[0], &[("base", "EUR"), ("quote", "GBP"), ("rate_date_key", "20260112"), ("rate", "0.87")]);
}

#[test]
fn a_members_master_data_replaces_its_placeholder_and_no_fact_makes_another() {
    let streams = [("lines", Contract::OrderLine), ("customers", Contract::Customer)];
    let streams = streams.map(|(topic, contract)| (Arc::from(topic), Stream::new(topic, contract, Format::Json, None, LIMIT)));
    let mut stage = Stage::new(&shop("UTC"), KEYS, index(), streams);
    let mut run = |topic: &str, offset: i64, value: &str| {
        let mut records = records(offset, &[value.as_bytes()], Headers::None);
        records.partition = Partition::new(topic, 0);
        let batch = stage.run(records, offset).unwrap();
        Done { batch }.rows(Table::DimCustomer).iter().map(|row| row["is_placeholder"].clone()).collect::<Vec<_>>()
    };
    let line = |id: u32| {
        with(Contract::OrderLine, "customer_id", "\"c1\"").replace("\"line_id\":\"1\"", &format!("\"line_id\":\"{id}\""))
    };
    assert_eq!(run("lines", 0, &line(1)), ["true"]);
    assert_eq!(run("lines", 1, &line(2)), [""; 0]);
    assert_eq!(run("customers", 0, minimal(Contract::Customer)), ["false"]);
    assert_eq!(run("lines", 2, &line(3)), [""; 0]);
}

#[test]
fn every_contract_feeds_only_the_tables_that_the_model_says() {
    for contract in Contract::ALL {
        let rich = match contract {
            Contract::Event => EVENT,
            Contract::Order => ORDER,
            _ => minimal(contract),
        };
        let done = accepted(contract, rich);
        assert_eq!(done.tables().iter().find(|table| !Table::fed_by(contract).contains(table)), None, "{contract:?}");
        assert!(done.tables().contains(&Table::primary(contract)), "{contract:?}");
    }
}

#[test]
fn an_event_more_than_a_day_ahead_is_flagged_and_kept() {
    for (at, flag) in [("2026-01-13T09:30:00Z", "false"), ("2026-01-13T09:30:01Z", "true")] {
        let done = accepted(Contract::Event, &with(Contract::Event, "occurred_at", &format!("\"{at}\"")));
        has(&done.rows(Table::FactEvent)[0], &[("is_future", flag)]);
    }
    let at = 1_767_614_400_000_000;
    assert!(
        crate::shape::is_future(at, 0) && !crate::shape::is_future(at, kassa_model::time::UNSTATED),
        "nothing is known of it"
    );
}
