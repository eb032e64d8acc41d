use proptest::prelude::*;

use super::{is_hidden, json, printable, printable_lines};

#[test]
fn every_class_of_character_that_attacks_its_reader_is_escaped() {
    let cases = [
        ("\u{1b}]0;PWNED\u{7}\u{1b}[31mred", "\\u{1b}]0;PWNED\\u{7}\\u{1b}[31mred"),
        ("C1 \u{9b}31m \u{9d}0;x\u{9c}", "C1 \\u{9b}31m \\u{9d}0;x\\u{9c}"),
        ("\0\u{8}\u{7f}", "\\u{0}\\u{8}\\u{7f}"),
        ("\u{202e}gnp.exe\u{202c}", "\\u{202e}gnp.exe\\u{202c}"),
        ("\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}", "\\u{2066}\\u{2069}\\u{200e}\\u{200f}\\u{61c}"),
        ("x\u{2028}y\u{2029}z\u{85}", "x\\u{2028}y\\u{2029}z\\u{85}"),
        ("pay\u{200b}pal\u{feff}\u{200d}\u{ad}", "pay\\u{200b}pal\\u{feff}\\u{200d}\\u{ad}"),
        ("\u{fffd}\u{e0041}\u{3164}", "\\u{fffd}\\u{e0041}\\u{3164}"),
        ("a\tb\r\nerror[K020]: c", "a\\tb\\r\\nerror[K020]: c"),
    ];
    for (text, want) in cases {
        assert_eq!(printable(text), want);
    }
    assert_eq!(printable_lines("a\tb\r\n\u{1b}c"), "a\tb\\r\n\\u{1b}c");
}

#[test]
fn texts_of_every_language_are_left_alone() {
    for text in ["plain ~ text \\n", "Käse – 5 €", "مرحبا", "הָיְתָה", "می‌خواهم", "👩‍👩‍👧‍👦🏳️‍🌈 ❤️", "田中さん", "क्‍ष"]
    {
        assert_eq!(printable(text), text);
        assert_eq!(printable_lines(text), text);
        assert_eq!(json(text), text);
    }
}

proptest! {
    #[test]
    fn nothing_hidden_is_left_and_json_stays_the_same_value(text in any::<String>(), codes in proptest::collection::vec(0_u32..0x11_0000, 0..40)) {
        let text: String = text.chars().chain(codes.into_iter().filter_map(char::from_u32)).collect();
        let is_joiner = |at: char| matches!(at, '\u{200c}' | '\u{200d}');
        let is_safe = printable(&text).chars().all(|at| !is_hidden(at) || is_joiner(at));
        prop_assert!(is_safe);
        let rest = |at: char| is_hidden(at) && !matches!(at, '\n' | '\t') && !is_joiner(at);
        prop_assert!(!printable_lines(&text).chars().any(rest));
        let written = serde_json::to_string(&text).unwrap();
        prop_assert!(!json(&written).chars().any(rest));
        prop_assert_eq!(serde_json::from_str::<String>(&json(&written)).unwrap(), text);
    }

    #[test]
    fn what_is_escaped_once_is_not_escaped_again(text in any::<String>()) {
        let once = printable(&text).into_owned();
        prop_assert_eq!(printable(&once), once.as_str());
    }
}
