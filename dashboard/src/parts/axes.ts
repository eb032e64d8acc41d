/** Options that all charts with axes share, from tokens. */

import type { EChartsCoreOption } from "echarts/core";
import type { Unit } from "../api/shapes";
import { short } from "../format/figures";
import type { Palette } from "./palette";

type Part = Record<string, unknown>;

export function valueAxis(palette: Palette, unit: Unit, currency: string, splits = 4): Part {
  return {
    type: "value",
    splitNumber: splits,
    minInterval: unit === "count" ? 1 : undefined,
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: palette.border } },
    axisLabel: { color: palette.muted, fontFamily: palette.font, fontSize: 12, formatter: (value: number) => short(value, unit, currency) },
  };
}

export function bucketAxis(palette: Palette, labels: string[], step: number, edge: boolean): Part {
  return {
    type: "category",
    data: labels,
    boundaryGap: edge,
    axisLine: { lineStyle: { color: palette.border } },
    axisTick: { show: false },
    axisLabel: { color: palette.muted, fontFamily: palette.font, fontSize: 12, interval: (index: number) => index % step === 0, hideOverlap: true },
  };
}

export function grid(top = 24): EChartsCoreOption {
  return { left: 4, right: 12, top, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" };
}

/** The hatch of an unfinished bucket. */
export function hatched(palette: Palette): Part {
  return { color: { image: palette.hatch, repeat: "repeat" }, borderColor: palette.accent, borderWidth: 1 };
}
