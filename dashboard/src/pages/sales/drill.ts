/** From a bar to its orders: those of its days, or those of a member in the range or on one of its days. */

import { dateName, dayName } from "../../format/times";
import { bucketName, daysOf, isTime } from "./buckets";
import { type Range, rangeWords } from "./range";

const MEMBERS = ["category", "product", "country"];

export const drills = (by: string): boolean => isTime(by) || MEMBERS.includes(by);

/** Whether the bar covers several days. */
export const hasDays = (by: string): boolean => by === "week" || by === "month";

/** The days of the listed orders: the bar's days within the range; for a member, the chosen day or else the range. */
export function drillDays(by: string, key: string, chosen: string | undefined, range: Range): Range {
  if (!isTime(by)) return chosen !== undefined && chosen >= range.from && chosen <= range.to ? { from: chosen, to: chosen } : range;
  const days = daysOf(by, key);
  return { from: days.from > range.from ? days.from : range.from, to: days.to < range.to ? days.to : range.to };
}

/** The query for `GET /api/v1/orders`. */
export function drillQuery(by: string, key: string, days: Range): Record<string, string> {
  return { from: days.from, to: days.to, ...(isTime(by) ? {} : { [by]: key }) };
}

/** "Orders of Fri 20 Nov 2026", "Orders with Garden on Fri 20 Nov 2026", "Orders to Germany, 1 Nov – 20 Nov 2026". */
export function drillTitle(by: string, label: string, days: Range): string {
  if (hasDays(by)) return `Orders of ${rangeWords(days)}`;
  if (isTime(by)) return `Orders of ${bucketName("day", days.from, true)}`;
  const whose = `Orders ${by === "country" ? "to" : "with"} ${label}`;
  return days.from === days.to ? `${whose} on ${dayName(days.from, true)}` : `${whose}, ${dateName(days.from, false)} – ${dateName(days.to)}`;
}
