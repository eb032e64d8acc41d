import type { JSX } from "preact";
import type { Text, Unit } from "../api/shapes";
import { figure } from "../format/figures";
import { useFrame } from "./frame";

/** A member's name; records without one have their own row. */
export const memberName = (label: string): string => label || "not stated";

interface ShownProps {
  name: string;
  value: Text;
  unit: Unit;
  by?: string;
  item?: string;
  class?: string;
}

/** A figure on the page: the reader sees it formatted, a test reads the server's exact string in an attribute. */
export function Shown({ name, value, unit, by = "total", item = "total", class: extra }: ShownProps): JSX.Element {
  const { currency } = useFrame();
  return (
    <span class={extra} data-figure={name} data-by={by} data-key={item} data-value={value ?? ""} title={value === null ? "unknown" : undefined}>
      {figure(value, unit, currency)}
    </span>
  );
}
