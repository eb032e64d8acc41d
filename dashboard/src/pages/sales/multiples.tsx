/** Small multiples: the same range in the figures that belong together; each leads to its own view. */

import type { JSX } from "preact";
import { ask } from "../../api/http";
import { figure } from "../../format/figures";
import { daysBetween } from "../../format/times";
import { useFrame } from "../../parts/frame";
import { Shown } from "../../parts/shown";
import { Spark } from "../../parts/spark";
import { useQuery } from "../../state/hooks";
import { type Route, to } from "../../state/route";
import { buckets } from "./buckets";
import { type Range, rangeWords } from "./range";
import { type Days, valueOf } from "./reading";
import { groupingName } from "./toolbar";

const FIGURES = ["net_sales", "orders", "aov", "units", "discounts", "returns", "new_customers", "conversion"];

/** So that a line has tens of points, not hundreds. */
function stepFor(range: Range): string {
  const days = daysBetween(range.from, range.to);
  return days === 1 ? "hour" : days <= 92 ? "day" : days <= 730 ? "week" : "month";
}

export function Multiples({ route, days: { range, last, running } }: { route: Route; days: Days }): JSX.Element {
  const open = running !== null && range.to >= running;
  const { definitions } = useFrame();
  const known = FIGURES.filter((name) => definitions.has(name));
  const by = stepFor(range);
  return (
    <section class="multiples" aria-label="The same days in other figures">
      <h2>
        The same days in other figures, by {groupingName(by).toLowerCase()}: {rangeWords(range)}
      </h2>
      <ul>
        {known.map((name) => (
          <Multiple key={name} name={name} by={by} route={route} range={range} last={last} open={open} />
        ))}
      </ul>
    </section>
  );
}

function Multiple({ name, by, route, range, last, open }: { name: string; by: string; route: Route; range: Range; last: string; open: boolean }): JSX.Element {
  const { definitions, currency } = useFrame();
  const definition = definitions.get(name);
  const grouped = definition?.groupings.includes(by) ?? false;
  const question = { figure: name, from: range.from, to: range.to, basis: route.basis };
  const total = useQuery(`total ${JSON.stringify(question)}`, (signal) => ask(question, signal));
  const course = useQuery(grouped ? `${by} ${JSON.stringify(question)}` : null, (signal) => ask({ ...question, by }, signal));
  const values = course.answer ? buckets(by, range, course.answer.rows, last).map(({ value }) => value) : [];
  const unit = definition?.unit ?? "count";
  const value = valueOf(total.answer);
  const isThis = route.figure === name;
  return (
    <li>
      <a class="panel multiple" href={to(route, { figure: name, by: grouped ? by : route.by, bar: undefined })} aria-current={isThis ? "true" : undefined}>
        <span class="multiple-title">{definition?.title ?? name}</span>
        <strong class="multiple-value" style={{ "--characters": String(Math.max(8, figure(value, unit, currency).length)) }}>
          {total.answer ? <Shown name={name} value={value} unit={unit} /> : total.refusal ? "not known" : <span class="bone" />}
        </strong>
        <Spark values={values} length={Math.max(2, values.length)} height={40} open={open} filled />
      </a>
    </li>
  );
}
