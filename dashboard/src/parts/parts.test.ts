import { expect, test } from "vitest";
import { extent } from "./bars";
import { moved } from "./chart";
import { colours } from "./frame";

test("bars start at zero, and negative ones extend to the left", () => {
  expect(extent("50", ["100", "50", "0"])).toEqual({ left: 0, width: 50 });
  expect(extent("-25", ["75", "-25"])).toEqual({ left: 0, width: 25 });
  expect(extent("75", ["75", "-25"])).toEqual({ left: 25, width: 75 });
  expect(extent(null, ["75"])).toEqual({ left: 0, width: 0 });
});

test("a category has the same colour in any order", () => {
  const one = colours(["Toys", "Gifts", "Garden"]);
  const other = colours(["Garden", "Toys", "Gifts", "Toys"]);
  for (const name of ["Toys", "Gifts", "Garden"]) expect(one(name)).toBe(other(name));
  expect(new Set(["Toys", "Gifts", "Garden"].map(one)).size).toBe(3);
});

test("no two categories share a colour: those beyond eight have none of their own", () => {
  const names = ["Toys", "Gifts", "Garden", "Kitchen", "Candles", "Textiles", "Lighting", "Bathroom", "Stationery"];
  const of = colours(names);
  expect(new Set(names.slice(0, 8).map(of)).size).toBe(8);
  expect(of("Stationery")).toBe("var(--category-other)");
});

test("keys move along a chart and stop at its ends", () => {
  expect(moved("ArrowRight", null, 5)).toBe(0);
  expect(moved("ArrowRight", 4, 5)).toBe(4);
  expect(moved("ArrowLeft", 0, 5)).toBe(0);
  expect(moved("End", 1, 5)).toBe(4);
  expect(moved("Escape", 3, 5)).toBeNull();
  expect(moved("Tab", 3, 5)).toBeUndefined();
});
