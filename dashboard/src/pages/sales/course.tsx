/** The main chart over time: this range, and the previous one behind it. */

import type { EChartsCoreOption } from "echarts/core";
import type { JSX } from "preact";
import type { Text, Unit } from "../../api/shapes";
import { geometry } from "../../format/decimal";
import { change, figure } from "../../format/figures";
import { bucketAxis, grid, hatched, valueAxis } from "../../parts/axes";
import { Chart, type Point } from "../../parts/chart";
import { useFrame } from "../../parts/frame";
import type { Palette } from "../../parts/palette";
import { type Bucket, bucketName } from "./buckets";

/** Above this number of bars, a line is drawn. */
const BARS_MAX = 62;

interface Facts {
  labels: string[];
  now: Text[];
  before: Text[];
  unit: Unit;
  currency: string;
  open: boolean;
}

interface CourseProps {
  title: string;
  by: string;
  unit: Unit;
  now: Bucket[];
  before: Bucket[];
  /** The last bucket contains the current day. */
  open: boolean;
  onPick: ((key: string) => void) | undefined;
  /** The action of a pick, in words. */
  action: string;
}

export function Course({ title, by, unit, now, before, open, onPick, action }: CourseProps): JSX.Element {
  const { currency } = useFrame();
  const oneDay = new Set(now.map(({ key }) => key.slice(0, 10))).size === 1;
  const labels = now.map(({ key }) => (oneDay || !key.includes("T") ? bucketName(by, key) : `${bucketName("day", key.slice(0, 10))} ${bucketName(by, key)}`));
  const facts: Facts = { labels, now: now.map(({ value }) => value), before: before.map(({ value }) => value), unit, currency, open };
  const point = (index: number): Point => {
    const here = now[index];
    const there = before[index];
    const lines: Point["lines"] = [{ label: title, text: figure(here?.value ?? null, unit, currency), kind: "now" }];
    if (there) {
      lines.push({ label: bucketName(by, there.key, true), text: figure(there.value, unit, currency), kind: "before" });
      const against = change(here?.value ?? null, there.value, unit);
      if (against) lines.push({ label: "change", text: against.text, kind: "plain" });
    }
    const head = here ? bucketName(by, here.key, true) : "";
    return { head: open && index === now.length - 1 ? `${head}, not over` : head, lines, ...(onPick ? { action: `Click or Enter: ${action}` } : {}) };
  };
  return (
    <Chart
      facts={facts}
      draw={draw}
      length={now.length}
      point={point}
      title={title}
      summary={summaryOf(title, by, now, unit, currency)}
      height={320}
      {...(onPick ? { onPick: (index: number) => now[index] && onPick(now[index].key) } : {})}
    />
  );
}

function summaryOf(title: string, by: string, now: Bucket[], unit: Unit, currency: string): string {
  const known = now.filter(({ value }) => value !== null);
  if (!known.length) return `${title}: no records in this range.`;
  const sorted = [...known].sort((a, b) => (geometry(a.value) ?? 0) - (geometry(b.value) ?? 0));
  const [low, high] = [sorted[0], sorted.at(-1)];
  const name = (bucket: Bucket | undefined): string => (bucket ? `${figure(bucket.value, unit, currency)} (${bucketName(by, bucket.key, true)})` : "");
  return `${title}, ${known.length} values from ${name(low)} to ${name(high)}.`;
}

const MARKS = { id: "before", type: "line", symbol: "rect", showAllSymbol: true, lineStyle: { width: 0 }, z: 4 };

function draw(facts: Facts, palette: Palette, width: number): EChartsCoreOption {
  const { labels, unit, currency } = facts;
  const bars = labels.length <= BARS_MAX;
  const room = Math.max(2, Math.floor(width / (8 * Math.max(9, ...labels.map((label) => label.length)) + 4)));
  return {
    grid: grid(12),
    xAxis: bucketAxis(palette, labels, Math.max(1, Math.ceil(labels.length / room)), bars),
    yAxis: valueAxis(palette, unit, currency),
    series: bars ? asBars(facts, palette, width) : asLines(facts, palette),
  };
}

/** The comparison is a mark across each bar; the bars show the range itself. */
function asBars({ now, before, open }: Facts, palette: Palette, width: number): object[] {
  const shown = now.map(geometry);
  const data = shown.map((value, index) => (open && index === shown.length - 1 ? { value, itemStyle: hatched(palette) } : value));
  const series: object[] = [{ id: "now", type: "bar", barMaxWidth: 56, barCategoryGap: "32%", itemStyle: { color: palette.accent, borderRadius: 2 }, data }];
  if (before.length) {
    const mark = Math.max(4, Math.min(68, (width - 64) / now.length - 1));
    series.push({ ...MARKS, symbolSize: [mark, 3], itemStyle: { color: palette.compare, borderColor: palette.surface, borderWidth: 1 }, data: before.map(geometry) });
  }
  return series;
}

/** The line to an unfinished bucket is dashed. */
function asLines({ now, before, open }: Facts, palette: Palette): object[] {
  const shown = now.map(geometry);
  const last = shown.length - 1;
  const line = { type: "line", symbol: "none", connectNulls: false };
  const series: object[] = [{ ...line, id: "now", lineStyle: { color: palette.accent, width: 2 }, areaStyle: { color: palette.accentWash, opacity: 1 }, data: open ? shown.slice(0, -1) : shown, z: 2 }];
  if (open) series.push({ ...line, id: "open", lineStyle: { color: palette.accent, width: 2, type: "dashed" }, data: shown.map((value, index) => (index >= last - 1 ? value : null)), z: 2 });
  if (before.length) series.push({ ...line, id: "before", lineStyle: { color: palette.compare, width: 1.5 }, data: before.map(geometry), z: 3 });
  return series;
}
