/** Cumulative net sales of the day, with last week's line behind. */

import type { EChartsCoreOption } from "echarts/core";
import type { JSX } from "preact";
import type { Live, Text } from "../../api/shapes";
import { geometry, subtract } from "../../format/decimal";
import { change, figure, whole } from "../../format/figures";
import { minuteOfDay } from "../../format/times";
import { bucketAxis, grid, valueAxis } from "../../parts/axes";
import { Chart, type Point } from "../../parts/chart";
import { footerOf, useFrame } from "../../parts/frame";
import type { Palette } from "../../parts/palette";
import { Panel } from "../../parts/panel";
import type { Words } from "./words";

const EDGES = 97;
const LABELS = Array.from({ length: EDGES }, (_, index) => minuteOfDay(index * 15));

interface Facts {
  today: Text[];
  before: Text[];
  currency: string;
  nowLabel: string;
  beforeLabel: string;
  open: boolean;
}

/** Totals at the limits of the quarter hours; the day starts at zero. */
function edges(totals: Text[]): Text[] {
  return totals.length ? ["0", ...totals] : [];
}

export function Day({ live, words }: { live: Live; words: Words }): JSX.Element {
  const frame = useFrame();
  const { currency } = live.shop;
  const net = live.tiles.find((tile) => tile.figure === "net_sales");
  const facts: Facts = {
    today: edges(live.day.today),
    before: edges(live.day.last_week),
    currency,
    nowLabel: `${words.now} ${whole(live.day.today.at(-1) ?? null, "money", currency)}`,
    beforeLabel: `${words.lastWeek} ${whole(live.day.last_week_total, "money", currency)}`,
    open: words.open,
  };
  const title = titleOf(live, words);
  const since = words.open ? `provisional since ${LABELS[Math.max(0, facts.today.length - 2)] ?? ""}` : words.window;
  return (
    <Panel
      class="wide"
      title={title}
      footer={footerOf(frame, "net_sales", `Cumulative, ${since}`)}
      subject={{
        title: "Net sales through the day",
        question: { figure: "net_sales", from: live.shop.today ?? undefined, to: live.shop.today ?? undefined, basis: live.basis },
        window: words.window,
        sheet: () => ({
          name: `net_sales-through-${live.shop.today}`,
          columns: [
            { title: "Up to", unit: "text" },
            { title: words.now, unit: "money" },
            { title: words.lastWeek, unit: "money" },
          ],
          rows: LABELS.slice(1).map((label, index) => [label, live.day.today[index] ?? null, live.day.last_week[index] ?? null]),
        }),
      }}
    >
      <Chart
        facts={facts}
        draw={draw}
        length={EDGES}
        point={(index) => pointAt(facts, words, index)}
        title={title}
        summary={`${title}. ${figure(net?.value ?? null, "money", currency)} so far; the total of ${words.lastWeek} was ${figure(live.day.last_week_total, "money", currency)}.`}
        height={264}
      />
    </Panel>
  );
}

function titleOf(live: Live, words: Words): string {
  const net = live.tiles.find((tile) => tile.figure === "net_sales");
  const against = net && change(net.value, net.yesterday, "money");
  if (!against) return "Net sales through the day";
  const size = against.text.replace(/^[+−]/, "");
  if (against.direction === "same") return `Net sales through the day: equal to ${words.againstYesterday}`;
  return `Net sales through the day: ${size} ${against.direction === "up" ? "above" : "below"} ${words.againstYesterday}`;
}

function pointAt({ today, before, currency, open }: Facts, words: Words, index: number): Point {
  const now = today[index] ?? null;
  const then = before[index] ?? null;
  const difference = now !== null && then !== null ? subtract(now, then) : null;
  const running = open && index === today.length - 1;
  const lines: Point["lines"] = [
    { label: words.now, text: figure(now, "money", currency), kind: "now" },
    { label: words.lastWeek, text: figure(then, "money", currency), kind: "before" },
  ];
  if (difference !== null) lines.push({ label: "difference", text: figure(difference, "money", currency), kind: "plain" });
  return { head: running ? `up to now, provisional` : `up to ${LABELS[index] ?? ""}`, lines };
}

function draw({ today, before, currency, nowLabel, beforeLabel, open }: Facts, palette: Palette, width: number): EChartsCoreOption {
  const now = today.map(geometry);
  const then = before.map(geometry);
  const last = now.length - 1;
  const ahead = (now[last] ?? 0) >= (then[last] ?? 0);
  const written = { show: true, fontFamily: palette.font, fontSize: 12, fontWeight: 600, textBorderColor: palette.surface, textBorderWidth: 4 };
  const ends = { ...written, color: palette.accent, formatter: nowLabel, ...labelPlace(last, ahead) };
  const endOfBefore = { ...written, color: palette.muted, formatter: beforeLabel, position: "top", align: "right", distance: 8 };
  return {
    grid: grid(),
    xAxis: bucketAxis(palette, LABELS, width < 480 ? 24 : 12, false),
    yAxis: valueAxis(palette, "money", currency),
    series: [
      {
        id: "before",
        type: "line",
        symbol: "none",
        showAllSymbol: true,
        lineStyle: { color: palette.compare, width: 2 },
        data: then.map((value, index) => (index === then.length - 1 ? { value, symbol: "circle", symbolSize: 1, label: endOfBefore } : value)),
        itemStyle: { color: palette.compare },
        z: 2,
      },
      {
        id: "today",
        type: "line",
        symbol: "none",
        lineStyle: { color: palette.accent, width: 2.5 },
        areaStyle: { color: palette.accentWash, opacity: 1 },
        itemStyle: { color: palette.accent },
        data: now,
        z: 3,
        markArea:
          open && last > 0
            ? { silent: true, z: 4, itemStyle: { color: { image: palette.hatch, repeat: "repeat" }, opacity: 0.45 }, data: [[{ xAxis: last - 1 }, { xAxis: last }]] }
            : undefined,
      },
      {
        id: "end",
        type: "line",
        symbol: "circle",
        symbolSize: 9,
        showAllSymbol: true,
        itemStyle: { color: palette.accent },
        label: ends,
        data: now.map((value, index) => (index === last ? value : null)),
        z: 5,
      },
    ],
  };
}

/** Next to the end of the line, where there is no other line. */
function labelPlace(last: number, ahead: boolean): Record<string, unknown> {
  if (last < 20) return { position: "top", align: "left", distance: 8 };
  if (ahead) return { position: "top", align: "right", distance: 10 };
  return last <= 70 ? { position: "right", distance: 10 } : { position: "bottom", align: "right", distance: 10 };
}
