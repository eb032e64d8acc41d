import { describe, expect, test } from "vitest";
import { bucketName, buckets, daysOf, mondayOf, weekOf } from "./buckets";
import { drillDays, drillQuery, drillTitle, drills } from "./drill";
import { before, presets, rangeOf } from "./range";

const row = (key: string, value: string): { key: string; label: string; value: string } => ({ key, label: key, value });

describe("ranges", () => {
  test("the last day with records stands where today would", () => {
    const list = presets("2010-12-01", "2011-12-09");
    expect(list.find(({ title }) => title === "28 days")).toMatchObject({ from: "2011-11-12", to: "2011-12-09" });
    expect(list.find(({ title }) => title === "Month before")).toMatchObject({ from: "2011-11-01", to: "2011-11-30" });
    expect(list.find(({ title }) => title === "All days")).toMatchObject({ from: "2010-12-01", to: "2011-12-09" });
  });

  test("a shop of one day has no day before", () => {
    expect(presets("2026-01-05", "2026-01-05").map(({ title }) => title)).not.toContain("Day before");
    expect(presets("2026-01-05", "2026-01-05").map(({ title, from }) => [title, from])).toEqual([["All days", "2026-01-05"]]);
  });

  test("two names of the same days are not offered side by side", () => {
    expect(presets("2026-01-06", "2026-01-15").map(({ title }) => title)).toEqual(["Last day", "Day before", "7 days", "All days"]);
    expect(presets("2025-11-01", "2026-01-07").map(({ title }) => title)).not.toContain("This month");
  });

  test("as many days lie before, and touch", () => expect(before({ from: "2026-03-01", to: "2026-03-28" })).toEqual({ from: "2026-02-01", to: "2026-02-28" }));

  test("a range given back to front is turned", () => expect(rangeOf("2026-02-01", "2026-01-01", "2025-01-01", "2026-03-01")).toEqual({ from: "2026-01-01", to: "2026-02-01" }));
});

describe("buckets", () => {
  const range = { from: "2026-01-01", to: "2026-01-04" };

  test("a day without a row is a gap and not 0", () => {
    const found = buckets("day", range, [row("2026-01-01", "5"), row("2026-01-04", "7")], "2026-01-31");
    expect(found.map(({ value }) => value)).toEqual(["5", null, null, "7"]);
  });

  test("what has not come yet is not on the axis", () => {
    const found = buckets("hour", { from: "2026-01-04", to: "2026-01-04" }, [row("2026-01-04T00", "1"), row("2026-01-04T02", "2")], "2026-01-04");
    expect(found.map(({ key }) => key)).toEqual(["2026-01-04T00", "2026-01-04T01", "2026-01-04T02"]);
  });

  test.each([
    ["2011-12-09", "2011-W49", "2011-12-05"],
    ["2026-01-01", "2026-W01", "2025-12-29"],
    ["2027-01-03", "2026-W53", "2026-12-28"],
  ])("%s lies in %s, which starts on %s", (day, week, monday) => {
    expect(weekOf(day)).toBe(week);
    expect(mondayOf(week)).toBe(monday);
  });

  test("a bar knows its days", () => {
    expect(daysOf("month", "2024-02")).toEqual({ from: "2024-02-01", to: "2024-02-29" });
    expect(daysOf("week", "2026-W01")).toEqual({ from: "2025-12-29", to: "2026-01-04" });
    expect(daysOf("hour", "2026-01-04T09")).toEqual({ from: "2026-01-04", to: "2026-01-04" });
    expect(bucketName("month", "2026-02")).toBe("Feb 2026");
  });
});

describe("from a bar to its orders", () => {
  const range = { from: "2026-01-10", to: "2026-01-20" };

  test("a bar over time opens the orders of its days, cut to the range", () => {
    expect(drillDays("hour", "2026-01-12T09", undefined, range)).toEqual({ from: "2026-01-12", to: "2026-01-12" });
    expect(drillDays("month", "2026-01", undefined, range)).toEqual(range);
    expect(drillDays("week", "2026-W03", undefined, range)).toEqual({ from: "2026-01-12", to: "2026-01-18" });
    expect(drillQuery("week", "2026-W03", { from: "2026-01-12", to: "2026-01-18" })).toEqual({ from: "2026-01-12", to: "2026-01-18" });
    expect(drillTitle("week", "2026-W03", { from: "2026-01-12", to: "2026-01-18" })).toBe("Orders of 12 Jan – 18 Jan 2026");
  });

  test("a member opens its orders over the range, or on the day of it that is chosen", () => {
    const day = { from: "2026-01-15", to: "2026-01-15" };
    expect(drillDays("category", "Garden", undefined, range)).toEqual(range);
    expect(drillDays("category", "Garden", "2026-01-15", range)).toEqual(day);
    expect(drillDays("category", "Garden", "2025-12-31", range)).toEqual(range);
    expect(drillQuery("category", "Garden", day)).toEqual({ ...day, category: "Garden" });
    expect(drillTitle("country", "United Kingdom", day)).toBe("Orders to United Kingdom on Thu 15 Jan 2026");
    expect(drillTitle("country", "United Kingdom", range)).toBe("Orders to United Kingdom, 10 Jan – 20 Jan 2026");
  });

  test("what orders cannot be found by has no orders to open", () => expect(["customer", "movement", "step"].some(drills)).toBe(false));
});
