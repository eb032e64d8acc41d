import type { JSX } from "preact";
import { useId } from "preact/hooks";
import type { Definition } from "../../api/shapes";
import { useFrame } from "../../parts/frame";
import { type Route, to } from "../../state/route";
import { type Range, presets } from "./range";

const GROUPINGS: Record<string, string> = { hour: "Hour", quarter_hour: "Quarter hour", day: "Day", week: "Week", month: "Month", category: "Category", product: "Product", country: "Country", customer: "Customer", channel: "Channel", currency: "Currency", movement: "Movement", method: "Payment method", status: "Status", step: "Step", cohort: "Cohort and month", segment: "Segment", total: "Total" };

export const groupingName = (by: string): string => GROUPINGS[by] ?? by.replaceAll("_", " ");

interface ToolbarProps {
  route: Route;
  range: Range;
  first: string;
  last: string;
}

const go = (hash: string): void => {
  location.hash = hash;
};

/** Figure, grouping and range of the view; each choice has its own URL. */
export function Toolbar({ route, range, first, last }: ToolbarProps): JSX.Element {
  const { definitions } = useFrame();
  const list = [...definitions.values()];
  const groupings = partsOf(definitions.get(route.figure)) ?? [route.by];
  return (
    <div class="toolbar">
      <Choice label="Figure" value={route.figure} options={list.length ? list.map(({ name, title }) => [name, title]) : [[route.figure, route.figure]]} onChange={(figure) => go(to(route, { figure, by: groupingFor(definitions.get(figure), route.by), bar: undefined }))} />
      <Choice label="By" value={route.by} options={groupings.map((by) => [by, groupingName(by)])} onChange={(by) => go(to(route, { by, bar: undefined }))} />
      <Days route={route} range={range} first={first} last={last} />
      <nav class="presets" aria-label="Ranges">
        {presets(first, last).map(({ title, from, to: until }) => (
          <a key={title} class="button" href={to(route, { from, to: until, by: groupingIn(route.by, from === until), bar: undefined })} aria-current={from === range.from && until === range.to ? "true" : undefined}>
            {title}
          </a>
        ))}
      </nav>
    </div>
  );
}

/** Keeps the grouping if the other figure has it too. */
export function groupingFor(definition: Definition | undefined, by: string): string {
  const groupings = partsOf(definition) ?? [by];
  return groupings.includes(by) ? by : groupings.includes("day") ? "day" : (groupings[0] ?? by);
}

/** The groupings of a figure; a figure without groupings is shown as a total. */
function partsOf(definition: Definition | undefined): string[] | undefined {
  const parts = definition?.groupings.filter((by) => by !== "total");
  return parts?.length === 0 ? ["total"] : parts;
}

/** One day is grouped by hour, because a single bar shows too little; many days are not, because it shows too much. */
function groupingIn(by: string, oneDay: boolean): string {
  if (oneDay) return by === "day" || by === "week" || by === "month" ? "hour" : by;
  return by === "hour" || by === "quarter_hour" ? "day" : by;
}

function Choice({ label, value, options, onChange }: { label: string; value: string; options: [string, string][]; onChange: (value: string) => void }): JSX.Element {
  const id = useId();
  return (
    <div class="choice">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map(([key, title]) => (
          <option key={key} value={key}>
            {title}
          </option>
        ))}
      </select>
    </div>
  );
}

function Days({ route, range, first, last }: ToolbarProps): JSX.Element {
  const id = useId();
  const set = (part: Partial<Range>): void => {
    const next = { ...range, ...part };
    if (next.from && next.to) go(to(route, { ...next, bar: undefined }));
  };
  return (
    <div class="days">
      <div class="choice">
        <label for={`${id}from`}>From</label>
        <input id={`${id}from`} type="date" value={range.from} min={first} max={last} onChange={(event) => set({ from: event.currentTarget.value })} />
      </div>
      <div class="choice">
        <label for={`${id}to`}>To</label>
        <input id={`${id}to`} type="date" value={range.to} min={first} max={last} onChange={(event) => set({ to: event.currentTarget.value })} />
      </div>
    </div>
  );
}
