import { expect, test } from "vitest";
import { HOME, readRoute, to, writeRoute } from "./route";

test("a view reads back from its address", () => {
  const view = { ...HOME, page: "sales" as const, basis: "order" as const, figure: "aov", by: "country", from: "2026-01-01", to: "2026-01-31", shape: "table" as const, bar: "Home & kitchen", day: "2026-01-30" };
  expect(readRoute(writeRoute(view))).toEqual(view);
});

test("an address says only what is not usual", () => {
  expect(writeRoute(HOME)).toBe("#/live");
  expect(to(HOME, { page: "sales" })).toBe("#/sales");
});

test.each(["", "#", "#/", "#/nowhere", "#/live?basis=<b>", "#/live?figure=../../etc"])("%j is the first page", (hash) => expect(readRoute(hash)).toEqual(HOME));

test("what is no day, name or basis is not taken over", () => {
  const route = readRoute("#/sales?from=2026-02-30&to=x&figure=a%20b&by=DROP&basis=none&shape=pie");
  expect(route).toEqual({ ...HOME, page: "sales" });
});
