use super::*;

const SECRET: Secret = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const OLD: Keyring = Keyring::unkeyed([0; 16]);

/// Lengths on both sides of every way to hash and to copy.
fn texts() -> impl Iterator<Item = String> {
    (0..20).chain(104..118).chain([1000]).map(|length| ('a'..='z').cycle().take(length).collect())
}

#[test]
fn keys_without_a_secret_never_change() {
    // Existing lakes contain these values.
    let golden: [(&str, &[&str], i64); 12] = [
        ("customer", &["", "C-1000"], 4_430_287_889_219_325_157),
        ("product", &["", "", "P-1000"], 9_075_784_492_268_567_950),
        ("product", &["", "V-1", "P-1000"], 5_990_114_130_675_405_391),
        ("channel", &["web"], 8_177_981_758_778_156_292),
        ("promotion", &["SPRING"], 2_683_328_353_885_705_602),
        ("category", &["Toys"], 4_148_681_667_509_182_534),
        ("payment_method", &["card"], 6_428_904_795_907_514_154),
        ("city", &["GB", "", "London"], 1_817_229_616_502_057_142),
        ("address", &["1 High Street", "", "GB", "London", "N1 9GU", "address"], 4_330_915_794_540_487_804),
        ("order", &["", "O-1000"], 4_701_799_118_104_425_407),
        ("session", &["", "S-1000"], 1_102_357_148_503_959_913),
        ("visitor", &["", "A-1000"], 6_888_109_805_203_943_571),
    ];
    for (kind, parts, key) in golden {
        for secret in [[0; 16], SECRET] {
            assert_eq!(Keyring::unkeyed(secret).key(kind, parts), Key(key), "{kind}");
            assert_eq!(Keyring::unkeyed(secret).checked(kind, parts).key, Key(key), "{kind}");
        }
    }
    for text in texts() {
        let streamed = hasher("product", &["", &text]).digest();
        assert_eq!(hash("product", &["", &text]), streamed, "{}", text.len());
    }
}

#[test]
fn keys_of_a_secret_never_change() {
    // By an implementation of SipHash-1-3 of its own.
    let (keyring, long) = (Keyring::keyed(SECRET), "x".repeat(200));
    let golden: [(&str, &[&str], i64, u32); 3] = [
        ("customer", &["", "C-1000"], 5_131_481_113_019_873_127, 1_190_894_012),
        ("product", &["north", "V-1", "P-1000"], 7_877_169_693_603_818_314, 3_395_433_380),
        ("order", &["", &long], 7_320_175_166_568_281_749, 4_099_850_874),
    ];
    for (kind, parts, key, check) in golden {
        assert_eq!(keyring.key(kind, parts), Key(key), "{kind}");
        assert_eq!(keyring.checked(kind, parts), Checked { key: Key(key), check }, "{kind}");
    }
    assert_eq!(keyring.id("customer", &["", "C-1000"]).bits(), 0x8e6d_5dc4_e259_eecf_46fb_99bc_6c60_2b43);
    assert_ne!(Keyring::keyed([7; 16]).key("customer", &["", "C-1000"]), keyring.key("customer", &["", "C-1000"]));
}

#[test]
fn what_has_no_name_is_unknown_and_parts_are_delimited() {
    for keyring in [OLD, Keyring::keyed(SECRET)] {
        assert_eq!(keyring.key("customer", &["", ""]), Key::UNKNOWN);
        assert_eq!(keyring.checked("customer", &["", ""]), Checked::default());
        assert_ne!(keyring.key("product", &["ab", "c"]), keyring.key("product", &["a", "bc"]));
        assert_ne!(keyring.id("order", &["ab", "c"]), keyring.id("order", &["a", "bc"]));
        assert_ne!(keyring.id("order", &["a"]), keyring.id("refund", &["a"]));
        let key = keyring.key("customer", &["17850"]);
        assert_eq!(Key::from_stored(key.stored()), key);
    }
}

#[test]
fn a_hash_is_the_same_however_long_its_parts_are() {
    let keyring = Keyring::keyed(SECRET);
    for text in texts() {
        let mut sip = SipHasher13::new_with_key(&SECRET);
        each("order", &["", &text], |bytes| sip.write(bytes));
        let streamed = sip.finish128();
        let id = keyring.id("order", &["", &text]);
        assert_eq!(id.bits(), (u128::from(streamed.h1) << 64) | u128::from(streamed.h2), "{}", text.len());
        assert_eq!(u128::from(id.short()), id.bits() >> 64);
    }
}

#[test]
fn a_second_preimage_of_a_key_without_a_secret_has_another_check_and_identity() {
    let forged = "UVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLmNOKQRXTUIWXAZABnDEEGHxJKBMNAPQR0TUxWXnZANCDAFGHLJKiMNEPQASTAVWX";
    let both = [["", "C-1000"], ["", forged]];
    let [one, other] = both.map(|parts| OLD.checked("customer", &parts));
    assert_eq!(one.key, other.key);
    assert_ne!(one.check, other.check);
    assert_ne!(OLD.id("customer", &both[0]), OLD.id("customer", &both[1]));
    let [one, other] = both.map(|parts| Keyring::keyed(SECRET).key("customer", &parts));
    assert_ne!(one, other);
}

#[test]
fn a_secret_is_not_shown_and_keyrings_differ_by_it() {
    let (keyed, old) = (Keyring::keyed(SECRET), Keyring::unkeyed(SECRET));
    assert_eq!(format!("{keyed:?}"), "Keyring { is_keyed: true, .. }");
    assert_ne!(keyed.fingerprint(), old.fingerprint());
    assert_ne!(keyed.fingerprint(), Keyring::keyed([7; 16]).fingerprint());
    assert!(old.agrees(&OLD) && keyed.agrees(&keyed));
    assert!(!keyed.agrees(&old) && !keyed.agrees(&Keyring::keyed([7; 16])));
}
