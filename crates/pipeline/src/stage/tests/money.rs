//! Money is exact, and days are the shop's.

use super::*;

fn line(unit_price: &str, quantity: &str, currency: &str) -> String {
    format!(
        r#"{{"occurred_at":0,"order_id":"o","line_id":"l","quantity":{quantity},"unit_price":{unit_price},"currency":"{currency}"}}"#
    )
}

#[test]
fn amounts_are_exact_in_every_currency() {
    for (unit_price, quantity, currency, gross) in [
        ("\"1.005\"", "3", "KWD", "3.015"),
        ("0.001", "\"0.5\"", "KWD", "0.0005"),
        ("1980", "2", "JPY", "3960"),
        ("10000000", "1", "VND", "10000000"),
        ("\"-0.00\"", "1", "GBP", "0"),
        ("-0", "1", "GBP", "0"),
        ("0.1", "3", "GBP", "0.3"),
        ("1.000000000000000000000000000000000000000000000", "1", "GBP", "1"),
        ("1e2", "1", "GBP", "100"),
        ("999999999999.999999", "1", "GBP", "999999999999.999999"),
        ("\"0.000001\"", "\"0.5\"", "GBP", "0"),
        ("\"0.000003\"", "\"0.5\"", "GBP", "0.000002"),
    ] {
        let text = line(unit_price, quantity, currency);
        let done = accepted(Contract::OrderLine, &text);
        has(&done.rows(Table::FactSales)[0], &[("gross_amount", gross), ("net_amount", gross)]);
    }
    let digits = |currency: &str| {
        accepted(Contract::OrderLine, &line("1", "1", currency)).rows(Table::DimCurrency)[0]["minor_digits"].clone()
    };
    assert_eq!(["KWD", "JPY", "VND", "GBP"].map(digits), ["3", "0", "0", "2"]);
}

#[test]
fn what_cannot_be_kept_exactly_is_refused_by_field() {
    for (unit_price, quantity, reason, field) in [
        ("0.0000001", "1", "too_precise", "unit_price"),
        ("\"0.12345678901234567890123456789012345678\"", "1", "too_precise", "unit_price"),
        ("\"0.1234567890123456789012345678901234567890123456789\"", "1", "too_precise", "unit_price"),
        ("12345678901234567890123456789012345678", "1", "out_of_range", "unit_price"),
        ("340282366920938463463374607431768211459", "1", "out_of_range", "unit_price"),
        ("1e999", "1", "out_of_range", "unit_price"),
        ("1e-999", "1", "too_precise", "unit_price"),
        ("1234567890123456789", "1", "out_of_range", "unit_price"),
        ("1000000000000", "1", "out_of_range", "unit_price"),
        ("\"12,50\"", "1", "not_a_decimal", "unit_price"),
        ("\"£5\"", "1", "not_a_decimal", "unit_price"),
        ("\"NaN\"", "1", "not_a_decimal", "unit_price"),
        ("\"Infinity\"", "1", "not_a_decimal", "unit_price"),
        ("\"1_000\"", "1", "not_a_decimal", "unit_price"),
        ("\"٣\"", "1", "not_a_decimal", "unit_price"),
        ("1", "0.0001", "too_precise", "quantity"),
        ("999999999999", "2", "out_of_range", "unit_price"),
        ("true", "1", "wrong_type", "unit_price"),
        ("{}", "1", "wrong_type", "unit_price"),
    ] {
        let text = line(unit_price, quantity, "GBP");
        assert_eq!(verdict(Contract::OrderLine, text.as_bytes()), (reason.to_owned(), field.to_owned()), "{text}");
    }
    let text =
        with(Contract::OrderLine, "discount", "-999999999999").replace("\"3.50\"", "\"999999999999\"").replace(":2,", ":1,");
    assert_eq!(verdict(Contract::OrderLine, text.as_bytes()).0, "out_of_range", "the net amount must fit too: {text}");
}

#[test]
fn what_a_fact_holds_does_not_depend_on_the_rates_that_came_before_it() {
    let rate = r#"{"occurred_at":0,"base":"EUR","quote":"GBP","day":"2026-01-12","rate":"0.8"}"#;
    let line = line("3.50", "2", "EUR");
    let shaped = |with_rate: bool| {
        let streams = [("lines", Contract::OrderLine), ("rates", Contract::FxRate)];
        let streams =
            streams.map(|(topic, contract)| (Arc::from(topic), Stream::new(topic, contract, Format::Json, None, LIMIT)));
        let mut stage = Stage::new(&shop("Europe/London"), KEYS, index(), streams);
        let mut run = |topic: &str, value: &str| {
            let mut records = records(0, &[value.as_bytes()], Headers::None);
            records.partition = Partition::new(topic, 0);
            Done { batch: stage.run(records, 0).unwrap() }
        };
        if with_rate {
            run("rates", rate);
        }
        run("lines", &line).rows(Table::FactSales)
    };
    assert_eq!(shaped(true), shaped(false));
    assert!(shaped(true)[0].keys().all(|column| !column.contains("reporting") && column != "fx_rate"));
}

#[test]
fn days_are_the_shops_days_over_its_clock_changes() {
    for (zone, at, day) in [
        ("Europe/London", "2026-03-29T00:59:59Z", "20260329"),
        ("Europe/London", "2026-03-28T23:59:59Z", "20260328"),
        ("Europe/London", "2026-03-29T22:59:59.999999Z", "20260329"),
        ("Europe/London", "2026-03-29T23:00:00Z", "20260330"),
        ("Europe/London", "2026-10-24T22:59:59Z", "20261024"),
        ("Europe/London", "2026-10-24T23:00:00Z", "20261025"),
        ("Europe/London", "2026-10-25T23:59:59Z", "20261025"),
        ("Europe/London", "2026-10-26T00:00:00Z", "20261026"),
        ("Asia/Kolkata", "2026-01-11T18:29:59Z", "20260111"),
        ("Asia/Kolkata", "2026-01-11T18:30:00Z", "20260112"),
        ("Pacific/Chatham", "2026-01-11T10:14:59Z", "20260111"),
        ("Pacific/Chatham", "2026-01-11T10:15:00Z", "20260112"),
        ("America/Sao_Paulo", "2018-11-04T02:59:59Z", "20181103"),
        ("America/Sao_Paulo", "2018-11-04T03:00:00Z", "20181104"),
        ("Pacific/Apia", "2011-12-30T09:59:59Z", "20111229"),
        ("Pacific/Apia", "2011-12-30T10:00:00Z", "20111231"),
    ] {
        let mut stage = stage_in(zone, Contract::OrderLine, Format::Json, None);
        let text = with(Contract::OrderLine, "occurred_at", &format!("\"{at}\""));
        let done = Done::of(&mut stage, 0, &[text.as_bytes()]);
        has(&done.rows(Table::FactSales)[0], &[("movement_date_key", day), ("order_date_key", day)]);
    }
}

#[test]
fn times_are_read_in_every_form_they_come_in() {
    for (text, at) in [
        ("1768208400", "2026-01-12T09:00:00Z"),
        ("1768208400123", "2026-01-12T09:00:00.123Z"),
        ("1768208400123456", "2026-01-12T09:00:00.123456Z"),
        ("\"1768208400\"", "2026-01-12T09:00:00Z"),
        ("0", "1970-01-01T00:00:00Z"),
        ("-86400", "1969-12-31T00:00:00Z"),
        ("\"2026-01-12T09:00:00.123456789Z\"", "2026-01-12T09:00:00.123456Z"),
        ("\"2026-01-12t09:00:00z\"", "2026-01-12T09:00:00Z"),
        ("\"2026-01-12T09:00:00+05:30\"", "2026-01-12T03:30:00Z"),
        ("\"2026-01-12 09:00:00\"", "2026-01-12T09:00:00Z"),
        ("\"2026-07-12 09:00:00\"", "2026-07-12T08:00:00Z"),
        ("\"2026-01-12\"", "2026-01-12T00:00:00Z"),
        ("\"2026-03-29 01:30:00\"", "2026-03-29T01:30:00Z"),
        ("\"2026-10-25 01:30:00\"", "2026-10-25T00:30:00Z"),
        ("\"2016-12-31T23:59:60Z\"", "2016-12-31T23:59:59Z"),
        ("\"1900-01-01T00:00:00Z\"", "1900-01-01T00:00:00Z"),
        ("\"2199-12-31T23:59:59.999999Z\"", "2199-12-31T23:59:59.999999Z"),
    ] {
        let done = accepted(Contract::Event, &with(Contract::Event, "occurred_at", text));
        has(&done.rows(Table::FactEvent)[0], &[("occurred_at", at)]);
    }
    for text in [
        "\"0001-01-01T00:00:00Z\"",
        "\"9999-12-31T23:59:59Z\"",
        "\"1899-12-31T23:59:59Z\"",
        "\"2200-01-01T00:00:00Z\"",
        "1e9",
        "1768208400.5",
        "99999999999999999999",
        "-9223372036854775808",
        "9223372036854775807",
        "\"2026-02-30T00:00:00Z\"",
        "\"2026-01-12T24:00:01Z\"",
        "\"12/01/2026\"",
        "\"yesterday\"",
        "\"2026-01-12T09:00:00+99:00\"",
        "\"2026-01-12T09:00:00Z[Europe/London]\"",
        "true",
        "[]",
    ] {
        let text = with(Contract::Event, "occurred_at", text);
        assert_eq!(verdict(Contract::Event, text.as_bytes()), ("bad_timestamp".to_owned(), "occurred_at".to_owned()), "{text}");
    }
}
