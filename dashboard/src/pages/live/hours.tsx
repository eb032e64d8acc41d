import type { EChartsCoreOption } from "echarts/core";
import type { JSX } from "preact";
import type { Live } from "../../api/shapes";
import { count } from "../../format/figures";
import { bucketAxis, grid, hatched, valueAxis } from "../../parts/axes";
import { Chart } from "../../parts/chart";
import { footerOf, useFrame } from "../../parts/frame";
import type { Palette } from "../../parts/palette";
import { Panel } from "../../parts/panel";
import type { Words } from "./words";

const HOURS = Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, "0"));

interface Facts {
  today: (number | null)[];
  before: (number | null)[];
  open: boolean;
}

export function Hours({ live, words }: { live: Live; words: Words }): JSX.Element {
  const frame = useFrame();
  const facts: Facts = { today: live.orders_by_hour.today, before: live.orders_by_hour.last_week, open: words.open };
  const busiest = busiestHour(facts.today);
  const summary =
    busiest === null
      ? "No orders yet."
      : `Busiest hour ${HOURS[busiest]} to ${HOURS[(busiest + 1) % 24]} with ${count(facts.today[busiest] ?? null)} orders.`;
  return (
    <Panel
      class="third"
      title="Orders per hour"
      footer={footerOf(frame, "orders", `Blue ${words.now}, grey ${words.lastWeek}${words.open ? ", hatched: current hour" : ""}`, false)}
      subject={{
        title: "Orders per hour",
        question: { figure: "orders", by: "hour", from: live.shop.today ?? undefined, to: live.shop.today ?? undefined, basis: live.basis },
        window: words.window,
        sheet: () => ({
          name: `orders-by-hour-${live.shop.today}`,
          columns: [
            { title: "Hour from", unit: "text" },
            { title: words.now, unit: "count" },
            { title: words.lastWeek, unit: "count" },
          ],
          rows: HOURS.map((hour, index) => [`${hour}:00`, facts.today[index] ?? null, facts.before[index] ?? null]),
        }),
      }}
    >
      <Chart
        facts={facts}
        draw={draw}
        length={24}
        point={(index) => ({
          head: `${HOURS[index]}:00–${HOURS[(index + 1) % 24]}:00${facts.open && index === facts.today.length - 1 ? ", not over" : ""}`,
          lines: [
            { label: words.now, text: count(facts.today[index] ?? null), kind: "now" },
            { label: words.lastWeek, text: count(facts.before[index] ?? null), kind: "before" },
          ],
        })}
        title="Orders per hour"
        summary={summary}
        height={252}
      />
    </Panel>
  );
}

function busiestHour(hours: (number | null)[]): number | null {
  let best: number | null = null;
  hours.forEach((orders, hour) => {
    if (orders !== null && orders > (best === null ? 0 : (hours[best] ?? 0))) best = hour;
  });
  return best;
}

function draw({ today, before, open }: Facts, palette: Palette, width: number): EChartsCoreOption {
  const last = today.length - 1;
  const corners = [2, 2, 0, 0];
  return {
    grid: grid(12),
    xAxis: bucketAxis(palette, HOURS, width < 340 ? 6 : 3, true),
    yAxis: valueAxis(palette, "count", "", 3),
    series: [
      {
        id: "today",
        type: "bar",
        barGap: "0%",
        barCategoryGap: "22%",
        itemStyle: { color: palette.accent, borderRadius: corners },
        data: today.map((value, index) => (open && index === last ? { value, itemStyle: hatched(palette) } : value)),
      },
      {
        id: "before",
        type: "bar",
        itemStyle: { color: palette.compare, borderRadius: corners },
        data: before,
      },
    ],
  };
}
