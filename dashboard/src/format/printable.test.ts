import { expect, test } from "vitest";
import { parse, printable } from "./printable";

test.each([
  ["\u001b]0;PWNED\u0007", "\\u{1b}]0;PWNED\\u{7}"],
  ["C1 \u009b31m", "C1 \\u{9b}31m"],
  ["\u202egnp.exe\u2066\u2069\u200e\u061c", "\\u{202e}gnp.exe\\u{2066}\\u{2069}\\u{200e}\\u{61c}"],
  ["x\u2028y\u2029z\u0085\r", "x\\u{2028}y\\u{2029}z\\u{85}\\r"],
  ["pay\u200bpal\u200d\ufeff\ufffd\u{e0041}", "pay\\u{200b}pal\\u{200d}\\u{feff}\\u{fffd}\\u{e0041}"],
])("%j is shown as %j", (text, shown) => expect(printable(text)).toBe(shown));

test.each(["plain ~ text", "Käse – 5 €", "مرحبا", "می‌خواهم", "👩‍👩‍👧‍👦🏳️‍🌈 ❤️", "田中さん", "a\tb\nc"])("%j is left alone", (text) => expect(printable(text)).toBe(text));

test("an answer has printable texts, and keys as kassa knows them", () => {
  expect(parse('{"rows":[{"key":"a\\u202e","label":"a\\u202e","value":"-1.50","n":3,"none":null}]}')).toEqual({
    rows: [{ key: "a\u202e", label: "a\\u{202e}", value: "-1.50", n: 3, none: null }],
  });
});
