use arrow_array::BinaryArray;
use kassa_model::time::SystemClock;
use kassa_model::{Currency, Headers, Records, Shop};
use kassa_pipeline::dedupe::IndexOptions;
use kassa_pipeline::dimensions::Collision;
use kassa_pipeline::{Format, Sink, Stage, Stream};
use tempfile::TempDir;

use super::*;
use crate::StarSink;
use crate::testing::Fast;

const TOPIC: &str = "lines";
const OLD: Keyring = Keyring::unkeyed([7; 16]);

const LINE: &str = r#"{"occurred_at":"2026-01-05T10:00:00Z","order_id":"O-1000","line_id":"1","quantity":"1","unit_price":"2.50","currency":"GBP",
"customer_id":"C-1000","product_id":"P-1000","channel":"web","category":"Toys","promotion":"SPRING",
"shipping_address":{"street":"1 High Street","postcode":"N1 9GU","city":"London","country":"GB"}}"#;

/// A table, the kind of its keys, the natural key of a member, and another with the same key.
type Forgery<'f> = (Table, &'f str, &'f [&'f str], &'f [&'f str]);

const FORGERIES: [Forgery<'_>; 6] = [
    (
        Table::DimCustomer,
        "customer",
        &["", "C-1000"],
        &["", "UVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLmNOKQRXTUIWXAZABnDEEGHxJKBMNAPQR0TUxWXnZANCDAFGHLJKiMNEPQASTAVWX"],
    ),
    (
        Table::DimProduct,
        "product",
        &["", "", "P-1000"],
        &["", "", "XYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLcNOUQRuTUFWXAZABVDEdGH3JKBMNAPQRmTUsWXSZABCDAFGHNJK1MNXPQPSTAVWX"],
    ),
    (
        Table::DimChannel,
        "channel",
        &["web"],
        &["PQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLvNOZQRuTUIWXAZABLDElGHaJKDMNAPQRNTUkWXKZARCDAFGHvJK4MNSPQASTAVWX"],
    ),
    (
        Table::DimCategory,
        "category",
        &["Toys"],
        &["QRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLeNOUQRoTUNWXAZABzDERGHdJKMMNAPQROTUsWXQZAACDAFGHIJKzMNQPQGSTAVWX"],
    ),
    (
        Table::DimPromotion,
        "promotion",
        &["SPRING"],
        &["RSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLrNOgQRvTUHWXAZABODEPGHdJKJMNAPQRmTU8WXTZAPCDAFGHVJK6MNPPQBSTAVWX"],
    ),
    (
        Table::DimCity,
        "city",
        &["GB", "", "London"],
        &["GB", "", "WXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKL6NOBQRMTUGWXAZABcDEnGHgJKMMNAPQR1TUXWX3ZAFCDAFGHsJKXMN8PQISTAVWX"],
    ),
];

/// Has the key of the order `O-1000` where keys have no secret.
const FORGED_ORDER: &str =
    "RSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLUNO1QRTTUGWXAZABbDE4GHPJKQMNAPQRpTUjWXHZAACDAFGHYJK5MNSPQESTAVWX";

/// The members of a star with one line, and the index, as a start finds them.
fn recalled(keyring: Keyring) -> (Members, Index) {
    let dir = TempDir::new().expect("a folder");
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let contracts = HashMap::from([(Arc::from(TOPIC), Contract::OrderLine)]);
    let shop = Shop::new("Test", "Europe/London", Currency::parse("GBP").expect("a currency")).expect("a shop");
    let index = Index::new(&IndexOptions { memory_bytes: 1 << 20, dir: None, event_window_us: 1 }).expect("an index");
    let stream = Stream::new(TOPIC, Contract::OrderLine, Format::Json, None, 1 << 20);
    let mut stage = Stage::new(&shop, keyring, index, [(Arc::from(TOPIC), stream)]);
    let records = Records {
        partition: Partition::new(TOPIC, 0),
        offsets: vec![0],
        ingested_at: vec![1_768_210_200_000_000],
        timestamps: vec![None],
        keys: None,
        headers: Headers::None,
        values: BinaryArray::from_iter_values([LINE]),
        next: 1,
    };
    let batch = stage.run(records, 0).expect("shaped");
    assert_eq!(batch.span().counts.accepted, 1);
    StarSink::open(&store, contracts.clone(), Arc::new(SystemClock))
        .expect("a star")
        .commit(&[Arc::new(batch)])
        .expect("committed");
    let mut recalled = Members::default();
    let wanted = Wanted { from: &Positions::default(), to: None };
    members(store.as_ref(), wanted, &keyring, &mut recalled).expect("read");
    assert_eq!(recalled.len(), stage.memory.members.len());
    let mut index = Index::new(&IndexOptions { memory_bytes: 1 << 20, dir: None, event_window_us: 1 }).expect("an index");
    dedupe(store.as_ref(), &contracts, &Positions::default(), (&keyring, &mut index)).expect("read");
    (recalled, index)
}

#[test]
fn a_start_recalls_members_so_that_forged_ones_are_refused() {
    let (mut members, mut index) = recalled(OLD);
    for (table, kind, natural, forged) in FORGERIES {
        let key = OLD.key(kind, natural);
        assert_eq!(members.meet(&OLD, table, kind, natural), Ok((key, false)), "{kind}");
        assert_eq!(members.meet(&OLD, table, kind, forged), Err(Collision { table, key }), "{kind}");
    }
    let partition = index.partition(&Partition::new(TOPIC, 0)).expect("an id");
    let mut claimed = |order: &str| {
        let claim = Claim::of_order(&OLD, "", order);
        let row = dedupe::Row { partition, offset: 1, index: 0, content: 0, ingested_at: 1_768_210_200_000_000 };
        index.probe(claim.id, Class::Money, &claim.row(row)).expect("a verdict")
    };
    assert!(matches!(claimed("O-1000"), Verdict::Duplicate { .. }));
    assert!(matches!(claimed(FORGED_ORDER), Verdict::Conflict { .. }));
    assert_eq!(claimed("O-1001"), Verdict::New);
}

#[test]
fn a_start_recalls_members_by_the_keys_of_the_lakes_secret() {
    let keyring = Keyring::keyed([7; 16]);
    let (mut members, _) = recalled(keyring);
    for (table, kind, natural, forged) in FORGERIES {
        assert_eq!(members.meet(&keyring, table, kind, natural), Ok((keyring.key(kind, natural), false)), "{kind}");
        assert_eq!(members.meet(&keyring, table, kind, forged), Ok((keyring.key(kind, forged), true)), "{kind}");
    }
}
