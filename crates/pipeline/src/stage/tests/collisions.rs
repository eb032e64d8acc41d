//! Two members with one key. The forged ones are second preimages of keys without a secret, computed beforehand.

use super::*;

use Fate::{Accepted, DeadLetter as Dead};

const OLD: Keyring = Keyring::unkeyed([7; 16]);

/// What a record names, the contract, the field (as JSON with `$`), the dimension, the member and another with its key.
type Forgery = (Contract, &'static str, &'static str, Table, &'static str, &'static str);

const FORGERIES: [Forgery; 9] = [
    (
        Contract::Event,
        "customer_id",
        r#""$""#,
        Table::DimCustomer,
        "C-1000",
        "UVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLmNOKQRXTUIWXAZABnDEEGHxJKBMNAPQR0TUxWXnZANCDAFGHLJKiMNEPQASTAVWX",
    ),
    (
        Contract::Event,
        "product_id",
        r#""$""#,
        Table::DimProduct,
        "P-1000",
        "XYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLcNOUQRuTUFWXAZABVDEdGH3JKBMNAPQRmTUsWXSZABCDAFGHNJK1MNXPQPSTAVWX",
    ),
    (
        Contract::OrderLine,
        "variant_id",
        r#""$""#,
        Table::DimProduct,
        "V-1",
        "TUVWXYZABCDEFGHIJKLMNOPQRSTUVmXYTAB1DELGHAJKLfNOFQRBTUMWXAZAB2DE7GHBJKLMNAPQRoTUiWX7ZADCDAFGHIJKLMN",
    ),
    (
        Contract::Event,
        "channel",
        r#""$""#,
        Table::DimChannel,
        "web",
        "PQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLvNOZQRuTUIWXAZABLDElGHaJKDMNAPQRNTUkWXKZARCDAFGHvJK4MNSPQASTAVWX",
    ),
    (
        Contract::OrderLine,
        "promotion",
        r#""$""#,
        Table::DimPromotion,
        "SPRING",
        "RSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLrNOgQRvTUHWXAZABODEPGHdJKJMNAPQRmTU8WXTZAPCDAFGHVJK6MNPPQBSTAVWX",
    ),
    (
        Contract::Product,
        "category",
        r#""$""#,
        Table::DimCategory,
        "Toys",
        "QRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLeNOUQRoTUNWXAZABzDERGHdJKMMNAPQROTUsWXQZAACDAFGHIJKzMNQPQGSTAVWX",
    ),
    (
        Contract::Payment,
        "method",
        r#""$""#,
        Table::DimPaymentMethod,
        "card",
        "WXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLwNOlQRyTUNWXAZABpDE2GHIJKMMNAPQRnTUPWXcZAACDAFGHCJK2MNXPQCSTAVWX",
    ),
    (
        Contract::OrderLine,
        "shipping_address",
        r#"{"country":"GB","city":"$"}"#,
        Table::DimCity,
        "London",
        "WXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKL6NOBQRMTUGWXAZABcDEnGHgJKMMNAPQR1TUXWX3ZAFCDAFGHsJKXMN8PQISTAVWX",
    ),
    (
        Contract::OrderLine,
        "shipping_address",
        r#"{"street":"$","postcode":"N1 9GU","city":"London","country":"GB"}"#,
        Table::DimAddress,
        "1 High Street",
        "P1RS3UVrXYLABADEFQHIqKLZNOMQRATUVVXYbABqDEIGHAJKLVNOdQRITUJWXAZABCDEFGHI",
    ),
];

/// A record with ids of its own that names a member.
fn naming((contract, field, json, ..): &Forgery, nth: usize, member: &str) -> String {
    let named = with(*contract, field, &json.replace('$', member));
    let ids = format!(r#"{{"event_id":"e{nth}","source":"s","#);
    let named = named.replace(r#""event_id":"e1","#, "").replacen('{', &ids, 1);
    // A variant is one of its product.
    let named = if *field == "variant_id" { named.replacen('{', r#"{"product_id":"P-1000","#, 1) } else { named };
    let own = |id: &str| format!("\"{id}{nth}\"");
    named.replace("\"o1\"", &own("o")).replace("\"p1\"", &own("p"))
}

/// The record names a customer, too, whom no other record has named.
fn by_customer(record: &str, id: &str) -> String {
    record.replacen('{', &format!(r#"{{"customer_id":"{id}","#), 1)
}

fn run(stage: &mut Stage, contract: Contract, first: i64, values: &[String]) -> Done {
    assert!(stage.stream("t").is_some_and(|stream| stream.contract == contract));
    let values: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
    Done::of(stage, first, &values)
}

fn stage_with(keyring: Keyring, contract: Contract) -> Stage {
    let stream = Stream::new("things", contract, Format::Json, None, LIMIT);
    Stage::new(&shop("UTC"), keyring, index(), [(Arc::from("t"), stream)])
}

fn rows_at(done: &Done, offset: &str) -> Vec<Table> {
    let tables = done.tables().into_iter().filter(|table| *table != Table::Rejected);
    tables.filter(|table| done.rows(*table).iter().any(|row| row["source_offset"] == offset)).collect()
}

#[test]
fn the_later_of_two_members_with_one_key_makes_its_record_a_dead_letter_and_nothing_else() {
    for forgery in &FORGERIES {
        let (contract, field, _, table, member, forged) = *forgery;
        let mut stage = stage_with(OLD, contract);
        // Master data names no customer beside its own.
        let has_customer = field == "customer_id" || contract == Contract::Product;
        let refused = naming(forgery, 1, forged);
        let refused = if has_customer { refused } else { by_customer(&refused, "fresh") };
        let next = naming(forgery, 2, "neighbour");
        let next = if has_customer { next } else { by_customer(&next, "fresh") };
        let again = naming(forgery, 4, forged);
        let values = [naming(forgery, 0, member), refused.clone(), next, naming(forgery, 3, member), again, refused.clone()];
        let done = run(&mut stage, contract, 0, &values);
        assert_eq!(done.fates(), [Accepted, Dead, Accepted, Accepted, Dead, Dead], "{field}: {:?}", done.letters());
        for (_, reason, _) in done.letters() {
            assert_eq!(reason, "key_collision", "{field}");
        }
        for letter in done.rows(Table::Rejected) {
            let said = Collision::of_detail(&letter["detail"]).expect("a table and a key");
            assert_eq!(said.table, table, "{field}");
        }
        for offset in ["1", "4", "5"] {
            assert!(rows_at(&done, offset).is_empty(), "{field}: a refused record leaves no row");
        }
        if !has_customer {
            let fresh = done.rows(Table::DimCustomer);
            let fresh: Vec<&Cells> = fresh.iter().filter(|row| row["customer_id"] == "fresh").collect();
            assert_eq!(fresh.len(), 1, "{field}");
            has(fresh[0], &[("source_offset", "2")]);
        }
        // Read again, each is what it was; sent again, too.
        let again = run(&mut stage, contract, 0, &values);
        assert_eq!(again.fates(), done.fates(), "{field}");
        assert_eq!(run(&mut stage, contract, 6, &[refused]).fates(), [Dead], "{field}: never the duplicate of a dead letter");
    }
}

#[test]
fn a_secret_makes_forged_members_members_like_others() {
    for forgery in &FORGERIES {
        let (contract, field, .., table, member, forged) = *forgery;
        let mut stage = stage_with(KEYS, contract);
        let values = [naming(forgery, 0, member), naming(forgery, 1, forged), naming(forgery, 2, member)];
        let done = run(&mut stage, contract, 0, &values);
        assert_eq!(done.fates(), [Accepted; 3], "{field}: {:?}", done.letters());
        let own = done.rows(table).iter().filter(|row| ["0", "1"].contains(&row["source_offset"].as_str())).count();
        assert!(own >= 2, "{field}: each has a row");
    }
}

#[test]
fn a_nested_line_with_a_forged_member_makes_the_whole_order_a_dead_letter() {
    let promotion = FORGERIES.iter().find(|(_, field, ..)| *field == "promotion").expect("a promotion");
    let (.., member, forged) = *promotion;
    let line = |id: u32, code: &str| {
        format!(
            r#"{{"line_id":"{id}","quantity":1,"unit_price":"1","currency":"GBP","product_id":"n{id}","promotion":"{code}"}}"#
        )
    };
    let order = |id: &str, lines: &[String]| {
        with(Contract::Order, "lines", &format!("[{}]", lines.join(","))).replace("\"o1\"", &format!("\"{id}\""))
    };
    let mut stage = stage_with(OLD, Contract::Order);
    let refused = order("b", &[line(1, member), line(2, forged), line(3, member)]);
    let values = [order("a", &[line(1, member)]), refused.clone(), refused.clone(), order("c", &[line(2, member)])];
    let done = run(&mut stage, Contract::Order, 0, &values);
    assert_eq!(done.fates(), [Accepted, Dead, Dead, Accepted]);
    assert!(rows_at(&done, "1").is_empty());
    assert_eq!(done.rows(Table::FactSales).len(), 2);
    let products = done.rows(Table::DimProduct);
    let of_n2 = products.iter().find(|row| row["product_id"] == "n2").expect("the next order that names it brings it");
    has(of_n2, &[("source_offset", "3")]);
    // The order without the forged line is not a duplicate of the refused one: nothing of it was remembered.
    assert_eq!(run(&mut stage, Contract::Order, 4, &[order("b", &[line(1, member)])]).fates(), [Accepted]);
}

/// Has the key of the order `O-1000`.
const FORGED_ORDER: &str =
    "RSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLUNO1QRTTUGWXAZABbDE4GHPJKQMNAPQRpTUjWXHZAACDAFGHYJK5MNSPQESTAVWX";

#[test]
fn forged_ids_of_records_are_ids_like_others() {
    for keyring in [OLD, KEYS] {
        for (contract, field) in [
            (Contract::Event, "event_id"),
            (Contract::OrderLine, "line_id"),
            (Contract::Payment, "payment_id"),
            (Contract::Refund, "refund_id"),
        ] {
            let mut stage = stage_with(keyring, contract);
            let values = ["O-1000", FORGED_ORDER].map(|id| with(contract, field, &format!("\"{id}\"")));
            assert_eq!(run(&mut stage, contract, 0, &values).fates(), [Accepted; 2], "{contract:?} {field}");
        }
    }
}

#[test]
fn a_forged_order_is_refused_where_keys_have_no_secret() {
    for contract in [Contract::Order, Contract::OrderLine, Contract::Refund] {
        let of = |nth: usize, order: &str| {
            let value = with(contract, "order_id", &format!("\"{order}\"")).replace("\"r1\"", &format!("\"r{nth}\""));
            let line = format!(r#""line_id":"{nth}""#);
            by_customer(&value.replace(r#""line_id":"1""#, &line), &format!("c{nth}"))
                .replacen('{', r#"{"revision":NTH,"#, 1)
                .replace("NTH", &nth.to_string())
        };
        let orders = ["O-1000", FORGED_ORDER, "O-1000", FORGED_ORDER, "O-1001"];
        let values: Vec<String> = orders.into_iter().enumerate().map(|(nth, order)| of(nth, order)).collect();
        let mut stage = stage_with(OLD, contract);
        let done = run(&mut stage, contract, 0, &values);
        assert_eq!(done.fates(), [Accepted, Dead, Accepted, Dead, Accepted], "{contract:?} {:?}", done.letters());
        let letter = done.rows(Table::Rejected).remove(0);
        has(&letter, &[("reason", "key_collision"), ("field", "order_id")]);
        let collision = Collision::of_detail(&letter["detail"]).expect("an order's key");
        assert_eq!(collision, Collision { table: Table::FactOrder, key: OLD.key("order", &["", "O-1000"]) });
        // The members of the record before are known still, those of the refused one are not.
        let customers: Vec<String> = done.rows(Table::DimCustomer).iter().map(|row| row["customer_id"].clone()).collect();
        assert_eq!(customers, ["c0", "c2", "c4"], "{contract:?}");
        assert_eq!(run(&mut stage, contract, 0, &values).fates(), done.fates(), "read again");
        let mut alone = stage_with(OLD, contract);
        alone.want(collision);
        let all: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
        alone.alone(&records(0, &all, Headers::None), &[true; 5]).unwrap();
        assert!(alone.confirms(collision), "{contract:?}");
        let fates = run(&mut stage_with(KEYS, contract), contract, 0, &values).fates().to_vec();
        assert_eq!(fates, [Accepted; 5], "{contract:?}: a secret makes it an order like others");
    }
}

#[test]
fn a_proof_accepts_both_members_and_confirms_that_they_share_a_key() {
    let promotion = FORGERIES.iter().find(|(_, field, ..)| *field == "promotion").expect("a promotion");
    let (contract, .., table, member, forged) = *promotion;
    let collision = Collision { table, key: OLD.key("promotion", &[member]) };
    let mut stage = stage_with(OLD, contract);
    stage.want(collision);
    let values = [naming(promotion, 0, member), naming(promotion, 1, forged)];
    for (at, is_confirmed) in [(0, false), (1, true)] {
        stage.alone(&records(at, &[values[usize::try_from(at).unwrap()].as_bytes()], Headers::None), &[true]).unwrap();
        assert_eq!(stage.confirms(collision), is_confirmed);
    }
}
