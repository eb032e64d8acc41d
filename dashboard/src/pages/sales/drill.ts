/** From a bar to the orders behind it. */

import { bucketName, daysOf, isTime } from "./buckets";
import { type Range, rangeWords } from "./range";

const FILTERS = ["category", "product", "country"];

export const drills = (by: string): boolean => isTime(by) || FILTERS.includes(by);

/** What to ask `GET /api/v1/orders` for a bar: its days, cut to the range, and its member where it stands for one. */
export function drillQuery(by: string, key: string, range: Range): Record<string, string> {
  const days = isTime(by) ? daysOf(by, key) : range;
  const from = days.from > range.from ? days.from : range.from;
  const to = days.to < range.to ? days.to : range.to;
  const when: Record<string, string> = from === to ? { day: from } : { from, to };
  return isTime(by) ? when : { ...when, [by]: key };
}

/** "Orders of Fri 20 Nov 2026", "Orders with Garden, 1 Nov – 20 Nov 2026". */
export function drillTitle(by: string, key: string, label: string, range: Range): string {
  if (!isTime(by)) return `Orders ${by === "country" ? "to" : "with"} ${label}, ${rangeWords(range)}`;
  if (by === "hour" || by === "quarter_hour") return `Orders of ${bucketName("day", key.slice(0, 10), true)}`;
  return `Orders of ${bucketName(by, key, true).replace(/^Week/, "week")}`;
}
