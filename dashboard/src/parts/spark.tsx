import type { JSX } from "preact";
import type { Text } from "../api/shapes";
import { geometry } from "../format/decimal";

interface SparkProps {
  values: Text[];
  ghost?: Text[];
  /** The number of buckets in the full width. */
  length: number;
  /** The last bucket is or may be incomplete: it is omitted, because it would look like a fall. */
  open?: boolean;
  height?: number;
  /** Fills down to zero, which shows the figure's share of the height. */
  filled?: boolean;
}

const WIDTH = 100;

/** A line without axes; the figure next to it and its table have the values. */
export function Spark({ values, ghost = [], length, open = false, height = 32, filled = false }: SparkProps): JSX.Element {
  const now = (open && values.length > 1 ? values.slice(0, -1) : values).map(geometry);
  const then = ghost.map(geometry);
  const known = [...now, ...then].filter((value): value is number => value !== null);
  const low = Math.min(0, ...known);
  const high = Math.max(0, ...known);
  const pad = 3;
  const x = (index: number): number => (length > 1 ? (index / (length - 1)) * WIDTH : 0);
  const y = (value: number): number => (high === low ? height - pad : height - pad - ((value - low) / (high - low)) * (height - 2 * pad));
  const path = (list: (number | null)[]): string => line(list, x, y);
  const last = now.length - 1;
  const end = now[last] ?? null;
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${height}`} height={height} preserveAspectRatio="none" aria-hidden="true">
      {filled && last > 0 && <path class="spark-fill" d={`${path(now.map((value) => value ?? 0))}L${x(last)} ${y(0)}L0 ${y(0)}Z`} />}
      {then.length > 0 && <path class="spark-ghost" d={path(then)} />}
      <path class="spark-now" d={path(now)} />
      {end !== null && <path class="spark-end" d={`M${x(last).toFixed(2)} ${y(end).toFixed(2)}h0.001`} />}
    </svg>
  );
}

function line(list: (number | null)[], x: (index: number) => number, y: (value: number) => number): string {
  let path = "";
  let pen = "M";
  list.forEach((value, index) => {
    if (value === null) {
      pen = "M";
      return;
    }
    path += `${pen}${x(index).toFixed(2)} ${y(value).toFixed(2)}`;
    pen = "L";
  });
  return path;
}
