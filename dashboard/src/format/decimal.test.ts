import { describe, expect, test } from "vitest";
import { add, compare, divide, geometry, magnitude, subtract } from "./decimal";

describe("decimals are exact", () => {
  test.each([
    ["0.1", "0.2", "0.3"],
    ["9747747.934", "-11062.060", "9736685.874"],
    ["99999999999999999999.99", "0.01", "100000000000000000000.00"],
    ["-0.05", "0.05", "0.00"],
  ])("%s + %s = %s", (a, b, sum) => expect(add(a, b)).toBe(sum));

  test("a difference keeps its sign below one", () => expect(subtract("0.10", "0.15")).toBe("-0.05"));

  test.each([
    ["1", "3", 4, "0.3333"],
    ["2", "3", 4, "0.6667"],
    ["-1", "8", 2, "-0.13"],
    ["1", "-8", 2, "-0.13"],
    ["0.005", "1", 2, "0.01"],
  ])("%s ÷ %s to %i digits is %s", (a, b, digits, quotient) => expect(divide(a, b, digits)).toBe(quotient));

  test("nothing is divided by zero", () => expect(divide("1", "0.00", 2)).toBeNull());

  test("scale does not matter to order", () => {
    expect(compare("1.50", "1.5")).toBe(0);
    expect(compare("-2", "-1.999")).toBe(-1);
    expect(compare("10", "9.99")).toBe(1);
  });

  test.each(["", "1e5", "NaN", "1,000", "--1", ".5", "£5"])("%j is not a decimal", (text) => {
    expect(add(text, "1")).toBeNull();
    expect(geometry(text)).toBeNull();
  });

  test("a magnitude has no sign", () => expect(magnitude("-12.50")).toBe("12.50"));
});
