import { beforeAll, describe, expect, test } from "vitest";
import { UNKNOWN, change, count, figure, share, short, useLocale, whole } from "./figures";

beforeAll(() => useLocale("en-GB"));

describe("a figure keeps its own digits", () => {
  test("money keeps digits that a float would lose", () => {
    expect(figure("9007199254740993.07", "money", "GBP")).toBe("£9,007,199,254,740,993.07");
    expect(figure("12345678901234567890.12", "money", "GBP")).toBe("£12,345,678,901,234,567,890.12");
  });

  test.each([
    ["48291.40", "money", "£48,291.40"],
    ["-896812.490", "money", "−£896,812.49"],
    ["1204", "count", "1,204"],
    ["3.5", "quantity", "3.5"],
    ["0.0231", "ratio", "2.31%"],
  ] as const)("%s as %s is %s", (value, unit, text) => expect(figure(value, unit, "GBP")).toBe(text));

  test("a currency without minor units has none", () => expect(figure("1500", "money", "JPY")).toBe("¥1,500"));

  test.each([null, undefined, "", "NaN", "n/a"])("%j is a dash and never 0", (value) => expect(figure(value, "money", "GBP")).toBe(UNKNOWN));

  test("a known 0 is 0", () => expect(figure("0", "money", "GBP")).toBe("£0.00"));

  test("an unknown count is a dash", () => expect(count(null)).toBe(UNKNOWN));

  test("axes are short and labels are whole units", () => {
    expect(short(1_250_000, "money", "GBP")).toMatch(/^£1\.3m$/i);
    expect(short(0.025, "ratio", "GBP")).toBe("2.5%");
    expect(whole("48291.40", "money", "GBP")).toBe("£48,291");
  });

  test("a share of nothing is unknown", () => {
    expect(share("315", "1000")).toBe("31.5%");
    expect(share("1", "0")).toBe(UNKNOWN);
    expect(share(null, "5")).toBe(UNKNOWN);
  });
});

describe("a change", () => {
  test.each([
    ["104.1", "100", "money", "up", "+4.1%"],
    ["98", "100", "count", "down", "−2.0%"],
    ["100", "100.00", "money", "same", "0.0%"],
    ["-50", "-100", "money", "up", "+50.0%"],
    ["0.0231", "0.0243", "ratio", "down", "−0.12 pt"],
    ["0.0247", "0.0243", "ratio", "up", "+0.04 pt"],
  ] as const)("%s after %s (%s) is %s, %s", (now, before, unit, direction, text) => expect(change(now, before, unit)).toEqual({ direction, text }));

  test("there is none from nothing or from zero", () => {
    expect(change("5", null, "money")).toBeNull();
    expect(change(null, "5", "money")).toBeNull();
    expect(change("5", "0.00", "money")).toBeNull();
  });
});
