import { expect, test } from "vitest";
import { addDays, age, dayIn, dayName, daysBetween, isDay, minuteOfDay, place, timeIn } from "./times";

test("a day has its usual name", () => {
  expect(dayName("2026-11-20")).toBe("Fri 20 Nov");
  expect(dayName("2026-01-12", true)).toBe("Mon 12 Jan 2026");
});

test("days are counted over leap years and clock changes", () => {
  expect(addDays("2024-02-28", 1)).toBe("2024-02-29");
  expect(addDays("2026-03-29", 1)).toBe("2026-03-30");
  expect(daysBetween("2025-12-31", "2026-01-01")).toBe(2);
});

test("times are the shop's", () => {
  expect(timeIn("Europe/London", "2026-07-01T12:00:00Z")).toBe("13:00:00");
  expect(dayIn("Asia/Kolkata", Date.parse("2026-01-31T19:00:00Z"))).toBe("2026-02-01");
  expect(minuteOfDay(571)).toBe("09:31");
  expect(place("America/New_York")).toBe("New York");
});

test.each([
  [200, "0.2 s"],
  [42_000, "42 s"],
  [125_000, "2 min"],
  [7_200_000, "2 h"],
  [259_200_000, "3 days"],
  [-5, "0.0 s"],
])("%i ms is %s", (ms, words) => expect(age(ms)).toBe(words));

test("only real days are days", () => {
  expect(isDay("2026-02-28")).toBe(true);
  expect(isDay("2026-02-30")).toBe(false);
  expect(isDay("yesterday")).toBe(false);
});
