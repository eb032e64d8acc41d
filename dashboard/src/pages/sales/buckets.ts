/** The time buckets on an axis: all of a range, including those without a row, so that gaps are visible. */

import type { Row, Text } from "../../api/shapes";
import { addDays, dateName, dayName, daysBetween, minuteOfDay, monthName } from "../../format/times";
import type { Range } from "./range";

export const TIME_GROUPINGS = ["quarter_hour", "hour", "day", "week", "month"];

export interface Bucket {
  key: string;
  value: Text;
}

export const isTime = (by: string): boolean => TIME_GROUPINGS.includes(by);

/** ISO week of a day: "2011-W49". */
export function weekOf(day: string): string {
  const weekday = (new Date(`${day}T12:00:00Z`).getUTCDay() + 6) % 7;
  const thursday = addDays(day, 3 - weekday);
  const week = Math.floor((daysBetween(`${thursday.slice(0, 4)}-01-01`, thursday) - 1) / 7) + 1;
  return `${thursday.slice(0, 4)}-W${String(week).padStart(2, "0")}`;
}

/** The Monday of an ISO week. */
export function mondayOf(week: string): string {
  const [year = "", number = ""] = week.split("-W");
  const fourth = `${year}-01-04`;
  const weekday = (new Date(`${fourth}T12:00:00Z`).getUTCDay() + 6) % 7;
  return addDays(fourth, (Number(number) - 1) * 7 - weekday);
}

function keysOf(by: string, day: string): string[] {
  switch (by) {
    case "week":
      return [weekOf(day)];
    case "month":
      return [day.slice(0, 7)];
    case "hour":
      return Array.from({ length: 24 }, (_, hour) => `${day}T${String(hour).padStart(2, "0")}`);
    case "quarter_hour":
      return Array.from({ length: 96 }, (_, quarter) => `${day}T${minuteOfDay(quarter * 15)}`);
    default:
      return [day];
  }
}

/** A row for each bucket of the range; buckets after the last record are not on the axis. */
export function buckets(by: string, range: Range, rows: Row[], last: string): Bucket[] {
  const values = new Map(rows.map(({ key, value }) => [key, value]));
  const keys = new Set<string>();
  const days = daysBetween(range.from, range.to);
  for (let day = 0; day < days; day++) for (const key of keysOf(by, addDays(range.from, day))) keys.add(key);
  for (const key of values.keys()) keys.add(key);
  const end = range.to >= last ? (rows.at(-1)?.key ?? "") : "\uffff";
  return [...keys]
    .sort()
    .filter((key) => key <= end)
    .map((key) => ({ key, value: values.get(key) ?? null }));
}

/** A bucket's name on the axis and in tables. */
export function bucketName(by: string, key: string, full = false): string {
  const [day = "", time = ""] = key.split("T");
  switch (by) {
    case "hour":
      return full ? `${dayName(day)} ${time}:00` : `${time}:00`;
    case "quarter_hour":
      return full ? `${dayName(day)} ${time}` : time;
    case "week":
      return full ? `Week ${Number(key.split("-W")[1])}, from ${dateName(mondayOf(key))}` : dateName(mondayOf(key), false);
    case "month":
      return monthName(key);
    default:
      return full ? dayName(key, true) : dateName(key, false);
  }
}

/** The days of a bar. */
export function daysOf(by: string, key: string): Range {
  if (by === "week") return { from: mondayOf(key), to: addDays(mondayOf(key), 6) };
  if (by === "month") return { from: `${key}-01`, to: addDays(`${addDays(`${key}-28`, 7).slice(0, 7)}-01`, -1) };
  const day = key.slice(0, 10);
  return { from: day, to: day };
}
