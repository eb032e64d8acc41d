import type { JSX } from "preact";
import type { Text } from "../api/shapes";
import { geometry } from "../format/decimal";

/** The start and width of a bar, in per cent of its track; bars start at zero, negative ones extend to the left. */
export function extent(value: Text, all: Text[]): { left: number; width: number } {
  const known = all.map(geometry).filter((number): number is number => number !== null);
  const low = Math.min(0, ...known);
  const high = Math.max(0, ...known);
  const size = geometry(value);
  if (size === null || high === low) return { left: 0, width: 0 };
  const zero = ((0 - low) / (high - low)) * 100;
  const width = (Math.abs(size) / (high - low)) * 100;
  return { left: size < 0 ? zero - width : zero, width };
}

export function Bar({ value, all, colour = "var(--accent)", thin = false }: { value: Text; all: Text[]; colour?: string; thin?: boolean }): JSX.Element {
  const { left, width } = extent(value, all);
  return (
    <span class={thin ? "track thin" : "track"} aria-hidden="true">
      <span class="bar" style={{ left: `${left}%`, width: `${width}%`, backgroundColor: colour }} />
    </span>
  );
}
