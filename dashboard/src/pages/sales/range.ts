/** Ranges of the shop's days: the last day with records takes the place of today. */

import { addDays, dateName, dayName, daysBetween } from "../../format/times";

export interface Range {
  from: string;
  to: string;
}

export interface Preset extends Range {
  title: string;
}

const laterOf = (a: string, b: string): string => (a > b ? a : b);

/** Common ranges, limited to the days with records, without repeats. */
export function presets(first: string, last: string): Preset[] {
  const month = `${last.slice(0, 7)}-01`;
  const monthBefore = `${addDays(month, -1).slice(0, 7)}-01`;
  const list: Preset[] = [
    { title: "Last day", from: last, to: last },
    { title: "Day before", from: addDays(last, -1), to: addDays(last, -1) },
    { title: "7 days", from: addDays(last, -6), to: last },
    { title: "28 days", from: addDays(last, -27), to: last },
    { title: "This month", from: month, to: last },
    { title: "Month before", from: monthBefore, to: addDays(month, -1) },
    { title: "All days", from: first, to: last },
  ];
  const cut = list.filter(({ to }) => to >= first).map((preset) => ({ ...preset, from: laterOf(preset.from, first) }));
  const all = cut.length - 1;
  return cut.filter((one, index) => index === all || !cut.some((other, at) => same(one, other) && (at === all || at < index)));
}

const same = (a: Range, b: Range): boolean => a.from === b.from && a.to === b.to;

/** The same number of days, directly before. */
export function before({ from, to }: Range): Range {
  const days = daysBetween(from, to);
  return { from: addDays(from, -days), to: addDays(from, -1) };
}

export function rangeWords({ from, to }: Range): string {
  if (from === to) return dayName(from, true);
  return `${dateName(from, from.slice(0, 4) !== to.slice(0, 4))} – ${dateName(to)}`;
}

/** The range of the view, as far as the URL gives it; default: the last 28 days. */
export function rangeOf(from: string | undefined, to: string | undefined, first: string, last: string): Range {
  const end = to ?? last;
  const start = from ?? laterOf(first, addDays(end, -27));
  return start <= end ? { from: start, to: end } : { from: end, to: start };
}
