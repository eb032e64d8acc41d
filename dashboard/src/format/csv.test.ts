import { expect, test } from "vitest";
import { cell, csv } from "./csv";

test.each(['=HYPERLINK("http://x")', "+SUM(A1)", "@cmd", "-2+3", "\tx", "\rx", "-", "+44 20 7946 0000"])("the text %j is not a formula", (text) => {
  expect(cell(text).replace(/^"/, "")).toMatch(/^'/);
});

test.each(["-1284.50", "-5", "0.00", "9747747.934"])("the number %s stays a number", (text) => expect(cell(text)).toBe(text));

test("commas, quotes and line ends are quoted", () => {
  expect(cell('Cake, "large"')).toBe('"Cake, ""large"""');
  expect(cell("a\nb")).toBe('"a\nb"');
});

test("an unknown value is empty and not 0", () => expect(csv(["day", "net"], [["2026-01-01", null]])).toBe("day,net\r\n2026-01-01,\r\n"));
