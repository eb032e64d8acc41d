/** From a bar to what is behind it: from a week or a month to its days, from all else to the orders of a day. */

import { dayName } from "../../format/times";
import type { Route } from "../../state/route";
import { bucketName, daysOf, isTime } from "./buckets";
import type { Range } from "./range";

const MEMBERS = ["category", "product", "country"];

export const drills = (by: string): boolean => isTime(by) || MEMBERS.includes(by);

/** The view that a bar opens. */
export function drill(by: string, key: string, range: Range): Partial<Route> {
  if (by !== "week" && by !== "month") return { bar: key };
  const days = daysOf(by, key);
  return { by: "day", from: days.from > range.from ? days.from : range.from, to: days.to < range.to ? days.to : range.to, bar: undefined };
}

/** The day whose orders are listed: the bar's own; for a member the one chosen, else the range's last. */
export function drillDay(by: string, key: string, chosen: string | undefined, range: Range): string {
  if (isTime(by)) return key.slice(0, 10);
  return chosen !== undefined && chosen >= range.from && chosen <= range.to ? chosen : range.to;
}

/** What to ask `GET /api/v1/orders`. */
export function drillQuery(by: string, key: string, day: string): Record<string, string> {
  return isTime(by) ? { day } : { day, [by]: key };
}

/** "Orders of Fri 20 Nov 2026", "Orders with Garden on Fri 20 Nov 2026". */
export function drillTitle(by: string, label: string, day: string): string {
  if (isTime(by)) return `Orders of ${bucketName("day", day, true)}`;
  return `Orders ${by === "country" ? "to" : "with"} ${label} on ${dayName(day, true)}`;
}
