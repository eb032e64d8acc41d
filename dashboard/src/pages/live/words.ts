/** The names of the live day. Only the shop's current day is "today". */

import type { Live } from "../../api/shapes";
import { addDays, dateName, dayName, minuteOfDay, place, weekday } from "../../format/times";
import { isToday } from "../../state/phase";

export interface Words {
  /** For the header: "Today, Fri 20 Nov · London". */
  day: string;
  /** For labels: "today", or the day's name. */
  now: string;
  againstYesterday: string;
  againstLastWeek: string;
  lastWeek: string;
  window: string;
  /** Figures of the current quarter hour and hour may still change. */
  open: boolean;
}

export function wordsOf(live: Live, now: number): Words {
  const { today, time_zone: zone, minute } = live.shop;
  const day = today ?? "";
  const until = minute === null ? "" : minuteOfDay(minute);
  if (isToday(live, now)) {
    return {
      day: `Today, ${dayName(day)} · ${place(zone)}`,
      now: "today",
      againstYesterday: "yesterday by now",
      againstLastWeek: `last ${weekday(day)} by now`,
      lastWeek: `last ${weekday(day, "long")}`,
      window: until ? `Today to ${until}` : "Today",
      open: true,
    };
  }
  return {
    day: `${dayName(day, true)} · last day with records`,
    now: dayName(day),
    againstYesterday: `${dateName(addDays(day, -1), false)} by ${until}`,
    againstLastWeek: `${dateName(addDays(day, -7), false)} by ${until}`,
    lastWeek: dayName(addDays(day, -7)),
    window: until ? `${dateName(day, false)} to ${until}` : dateName(day, false),
    open: (live.rate_per_s ?? 0) > 0,
  };
}
