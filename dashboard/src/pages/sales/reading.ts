/** The data of the view's main figure: the range and, if the data goes back far enough, the same number of days before it. */

import { type Question, ask } from "../../api/http";
import type { Answer, Row, Text, Unit } from "../../api/shapes";
import { daysBetween } from "../../format/times";
import { useFrame } from "../../parts/frame";
import type { Sheet } from "../../parts/table";
import { type Query, useQuery } from "../../state/hooks";
import type { Route } from "../../state/route";
import { type Bucket, buckets, isTime } from "./buckets";
import { type Range, before as rangeBefore } from "./range";
import { groupingName } from "./toolbar";

/** Groupings whose buckets align with those of the previous days. */
const ALIGNED = ["day", "hour", "quarter_hour"];
const REFRESH_MS = 10_000;

/** The refresh interval of a range: while its last day is not over, it still changes. */
export const refreshOf = (open: boolean): number | undefined => (open ? REFRESH_MS : undefined);

/** The days of the view, and of the shop. */
export interface Days {
  range: Range;
  first: string;
  last: string;
  /** The shop's current day; null if the last day is in the past. */
  running: string | null;
}

export interface Reading {
  title: string;
  unit: Unit;
  question: Question;
  rows: Query<Answer>;
  /** Null if this figure has no total. */
  total: Query<Answer> | null;
  totalBefore: Text;
  comparable: boolean;
  beforeWords: string;
  members: { now: Row[]; before: Row[] };
  course: { now: Bucket[]; before: Bucket[] };
  /** The last bucket may still change. */
  open: boolean;
}

export function useReading(route: Route, { range, first, last, running }: Days): Reading {
  const definition = useFrame().definitions.get(route.figure);
  const earlier = rangeBefore(range);
  const comparable = earlier.from >= first;
  const hasTotal = !definition || definition.groupings.includes("total");
  const open = running !== null && range.to >= running;
  const refreshMs = refreshOf(open);
  const question: Question = { figure: route.figure, from: range.from, to: range.to, basis: route.basis };
  const rows = useAnswer({ ...question, by: route.by }, true, refreshMs);
  const total = useAnswer(question, hasTotal, refreshMs);
  const rowsBefore = useAnswer({ ...question, ...earlier, by: route.by }, comparable);
  const totalBefore = useAnswer({ ...question, ...earlier }, comparable && hasTotal);
  const days = daysBetween(range.from, range.to);
  const now = rows.answer?.rows ?? [];
  const then = rowsBefore.answer?.rows ?? [];
  const timed = isTime(route.by);
  return {
    title: definition?.title ?? route.figure,
    unit: rows.answer?.unit ?? definition?.unit ?? "count",
    question,
    rows,
    total: hasTotal ? total : null,
    totalBefore: valueOf(totalBefore.answer),
    comparable,
    beforeWords: days === 1 ? "the day before" : `the ${days} days before`,
    members: { now, before: then },
    course: { now: timed ? buckets(route.by, range, now, last) : [], before: timed && comparable && ALIGNED.includes(route.by) ? buckets(route.by, earlier, then, last) : [] },
    open,
  };
}

function useAnswer(question: Question, wanted: boolean, refreshMs?: number): Query<Answer> {
  return useQuery(wanted ? JSON.stringify(question) : null, (signal) => ask(question, signal), refreshMs);
}

export const valueOf = (answer: Answer | null | undefined): Text => answer?.rows[0]?.value ?? null;

/** The contents of the view, as rows of the server's own strings. */
export function sheetOf(route: Route, { range }: Days, reading: Reading): Sheet {
  const { title, unit, course, members, beforeWords, comparable } = reading;
  const of = { figure: route.figure, by: route.by };
  const name = `${route.figure}-by-${route.by}-${range.from}-${range.to}`;
  if (!isTime(route.by)) {
    const earlier = new Map(members.before.map(({ key, value }) => [key, value]));
    const columns = [text(groupingName(route.by)), text("Name"), { title, unit }, ...(comparable ? [{ title: `${title}, ${beforeWords}`, unit }] : [])];
    return { name, of, columns, rows: members.now.map(({ key, label, value }) => [key, label, value, ...(comparable ? [earlier.get(key) ?? null] : [])]) };
  }
  const columns = [text(groupingName(route.by)), { title, unit }];
  if (!course.before.length) return { name, of, columns, rows: course.now.map(({ key, value }) => [key, value]) };
  return {
    name,
    of,
    columns: [...columns, text(`${groupingName(route.by)} compared`), { title: `${title}, ${beforeWords}`, unit }],
    rows: course.now.map(({ key, value }, index) => {
      const there = course.before[index];
      return [key, value, there?.key ?? null, there?.value ?? null];
    }),
  };
}

const text = (title: string): { title: string; unit: "text" } => ({ title, unit: "text" });
