/** Small multiples: the same range for related figures; each links to its own view. */

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
import { type Days, type Reading, refreshOf, valueOf } from "./reading";
import { groupingName } from "./toolbar";

const FIGURES = ["net_sales", "orders", "aov", "units", "discounts", "returns", "new_customers", "conversion"];

/** Chooses buckets so that a line has tens of points, not hundreds. */
function stepFor(range: Range): string {
  const days = daysBetween(range.from, range.to);
  return days === 1 ? "hour" : days <= 92 ? "day" : days <= 730 ? "week" : "month";
}

export function Multiples({ route, days: { range, last }, reading }: { route: Route; days: Days; reading: Reading }): JSX.Element {
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
          <Multiple key={name} name={name} by={by} route={route} range={range} last={last} reading={reading} />
        ))}
      </ul>
    </section>
  );
}

interface MultipleProps {
  name: string;
  by: string;
  route: Route;
  range: Range;
  last: string;
  reading: Reading;
}

/** The view's own figure uses the view's answer: a later query could give another number. */
function Multiple({ name, by, route, range, last, reading }: MultipleProps): JSX.Element {
  const { definitions, currency } = useFrame();
  const definition = definitions.get(name);
  const grouped = definition?.groupings.includes(by) ?? false;
  const question = { figure: name, from: range.from, to: range.to, basis: route.basis };
  const isThis = route.figure === name;
  const refreshMs = refreshOf(reading.open);
  const own = useQuery(isThis ? null : `total ${JSON.stringify(question)}`, (signal) => ask(question, signal), refreshMs);
  const total = (isThis ? reading.total : null) ?? own;
  const course = useQuery(grouped ? `${by} ${JSON.stringify(question)}` : null, (signal) => ask({ ...question, by }, signal), refreshMs);
  const values = course.answer ? buckets(by, range, course.answer.rows, last).map(({ value }) => value) : [];
  const unit = definition?.unit ?? "count";
  const value = valueOf(total.answer);
  return (
    <li>
      <a class="panel multiple" href={to(route, { figure: name, by: grouped ? by : route.by, bar: undefined })} aria-current={isThis ? "true" : undefined}>
        <span class="multiple-title">{definition?.title ?? name}</span>
        <strong class="multiple-value" style={{ "--characters": String(Math.max(8, figure(value, unit, currency).length)) }}>
          {total.answer ? <Shown name={name} value={value} unit={unit} /> : total.refusal ? "unknown" : <span class="bone" />}
        </strong>
        <Spark values={values} length={Math.max(2, values.length - (reading.open ? 1 : 0))} height={40} open={reading.open} filled />
      </a>
    </li>
  );
}
