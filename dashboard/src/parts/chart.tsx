/** A chart with two axes, drawn by ECharts; usable by pointer, keyboard and screen reader. */

import type { EChartsCoreOption, EChartsType } from "echarts/core";
import type { JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { useTheme } from "../state/theme";
import { type Palette, paletteOf } from "./palette";

export interface Point {
  head: string;
  lines: { label: string; text: string; kind: "now" | "before" | "plain" }[];
  /** The action of Enter or a click, in words. */
  action?: string;
}

export interface ChartProps<Facts> {
  facts: Facts;
  /** Converts facts and colours to an ECharts option; called again only when either changes. */
  draw: (facts: Facts, palette: Palette, width: number) => EChartsCoreOption;
  length: number;
  point: (index: number) => Point;
  title: string;
  summary: string;
  height: number;
  onPick?: (index: number) => void;
}

export function Chart<Facts>(props: ChartProps<Facts>): JSX.Element {
  const { length, point, title, summary, height, onPick } = props;
  const ground = useRef<HTMLDivElement>(null);
  const chart = useDrawing(ground, props);
  const [at, setAt] = useState<number | null>(null);
  const described = useId();
  const shown = at !== null && at < length ? at : null;
  const follow = (event: MouseEvent): void => setAt(indexUnder(chart.current, ground.current, event, length));
  const onKeyDown = (event: KeyboardEvent): void => {
    const next = moved(event.key, at, length);
    if (next !== undefined) {
      event.preventDefault();
      setAt(next);
    } else if ((event.key === "Enter" || event.key === " ") && shown !== null && onPick) {
      event.preventDefault();
      onPick(shown);
    }
  };
  const pick = (event: MouseEvent): void => {
    const index = indexUnder(chart.current, ground.current, event, length);
    if (index !== null) onPick?.(index);
  };
  return (
    <div
      class={onPick ? "chart picks" : "chart"}
      role="group"
      aria-roledescription="chart"
      aria-label={title}
      aria-describedby={described}
      tabIndex={0}
      style={{ height: `${height}px` }}
      onMouseMove={follow}
      onMouseLeave={() => setAt(null)}
      onBlur={() => setAt(null)}
      onKeyDown={onKeyDown}
      onClick={pick}
    >
      <p id={described} class="sr">
        {summary}
      </p>
      <div ref={ground} class="chart-ground" aria-hidden="true" />
      {shown !== null && <Tip point={point(shown)} chart={chart.current} index={shown} />}
    </div>
  );
}

function useDrawing<Facts>(ground: { current: HTMLDivElement | null }, { facts, draw }: ChartProps<Facts>): { current: EChartsType | null } {
  const chart = useRef<EChartsType | null>(null);
  const [theme] = useTheme();
  const [width, setWidth] = useState(0);
  const painter = useRef({ draw, facts });
  painter.current = { draw, facts };
  useEffect(() => {
    const element = ground.current;
    if (!element) return;
    let gone = false;
    const observer = new ResizeObserver(() => {
      chart.current?.resize();
      setWidth(element.clientWidth);
    });
    void import("./echarts").then(({ init }) => {
      if (gone) return;
      chart.current = init(element);
      observer.observe(element);
    });
    return () => {
      gone = true;
      observer.disconnect();
      chart.current?.dispose();
      chart.current = null;
    };
  }, []);
  const drawn = JSON.stringify(facts);
  useEffect(() => {
    if (!chart.current || !ground.current || width === 0) return;
    const option = painter.current.draw(painter.current.facts, paletteOf(ground.current), width);
    chart.current.setOption({ animation: false, ...option }, { replaceMerge: ["series"] });
  }, [drawn, theme, width]);
  return chart;
}

function Tip({ point, chart, index }: { point: Point; chart: EChartsType | null; index: number }): JSX.Element | null {
  const x = chart?.convertToPixel({ xAxisIndex: 0 }, index);
  if (!chart || typeof x !== "number") return null;
  const right = x > chart.getWidth() / 2;
  return (
    <>
      <span class="crosshair" style={{ left: `${x}px` }} />
      <div class="tip" role="status" style={right ? { right: `${chart.getWidth() - x + 12}px` } : { left: `${x + 12}px` }}>
        <p class="tip-head">{point.head}</p>
        {point.lines.map(({ label, text, kind }) => (
          <p key={label} class={`tip-line ${kind}`}>
            <span>{label}</span> <strong>{text}</strong>
          </p>
        ))}
        {point.action && <p class="tip-action">{point.action}</p>}
      </div>
    </>
  );
}

function indexUnder(chart: EChartsType | null, ground: HTMLElement | null, event: MouseEvent, length: number): number | null {
  if (!chart || !ground) return null;
  const box = ground.getBoundingClientRect();
  const place = [event.clientX - box.left, event.clientY - box.top];
  if (!chart.containPixel({ gridIndex: 0 }, place)) return null;
  const index = Math.round(Number(chart.convertFromPixel({ xAxisIndex: 0 }, place[0] ?? 0)));
  return index >= 0 && index < length ? index : null;
}

/** Null hides the reading point; undefined is a key without an action here. */
export function moved(key: string, at: number | null, length: number): number | null | undefined {
  const last = length - 1;
  switch (key) {
    case "ArrowRight":
      return at === null ? 0 : Math.min(last, at + 1);
    case "ArrowLeft":
      return at === null ? last : Math.max(0, at - 1);
    case "Home":
      return 0;
    case "End":
      return last;
    case "Escape":
      return at === null ? undefined : null;
    default:
      return undefined;
  }
}
