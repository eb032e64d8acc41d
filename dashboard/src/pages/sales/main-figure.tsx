/** The figure of the view: its total compared with the days before, and its course or ranking. */

import type { JSX } from "preact";
import { change } from "../../format/figures";
import { Delta } from "../../parts/delta";
import { footerOf, useFrame } from "../../parts/frame";
import { Panel } from "../../parts/panel";
import { Shown } from "../../parts/shown";
import { Refused, Skeleton } from "../../parts/states";
import { SheetTable } from "../../parts/table";
import { type Route, to } from "../../state/route";
import { isTime } from "./buckets";
import { Course } from "./course";
import { drills } from "./drill";
import { Ranking } from "./ranking";
import { rangeWords } from "./range";
import { type Days, type Reading, sheetOf, valueOf } from "./reading";
import { groupingName } from "./toolbar";

/** A rise of these is neither good nor bad; nor is the fall of a range whose last day is not over. */
const NEUTRAL = ["discounts", "returns", "return_rate", "abandoned_carts", "adjustments"];

/** A figure without groupings. */
const isWhole = (route: Route): boolean => route.by === "total";

const isNeutral = (route: Route, { open }: Reading): boolean => open || NEUTRAL.includes(route.figure);

interface MainProps {
  route: Route;
  days: Days;
  reading: Reading;
}

export function MainFigure({ route, days, reading }: MainProps): JSX.Element {
  const frame = useFrame();
  const { title, unit, rows, open, course, beforeWords, question } = reading;
  const words = rangeWords(days.range);
  const notes = [words, ...(open ? ["last day provisional"] : []), ...(course.before.length ? [`grey marks: ${beforeWords}`] : [])];
  return (
    <Panel
      class="full"
      title={`${title}${isWhole(route) ? "" : ` by ${groupingName(route.by).toLowerCase()}`}, ${words}`}
      subject={{ title, question, window: words, sheet: () => sheetOf(route, days, reading) }}
      footer={footerOf(frame, route.figure, notes.join(", "), unit === "money")}
      actions={<Shape route={route} />}
    >
      {rows.refusal && !rows.answer ? (
        <Refused refusal={rows.refusal} retry={rows.retry} />
      ) : (
        <>
          <Headline route={route} reading={reading} />
          {rows.answer ? <Body route={route} days={days} reading={reading} /> : <Skeleton height={320} />}
        </>
      )}
    </Panel>
  );
}

function Headline({ route, reading }: { route: Route; reading: Reading }): JSX.Element | null {
  const { total, totalBefore, comparable, unit, beforeWords, open } = reading;
  if (!total) return null;
  const value = valueOf(total.answer);
  return (
    <div class="headline">
      <p class="figure">{total.answer ? <Shown name={route.figure} value={value} unit={unit} /> : <span class="bone" />}</p>
      {comparable ? (
        <Delta change={change(value, totalBefore, unit)} against={`against ${beforeWords}${open ? "; the last day is not over" : ""}`} neutral={isNeutral(route, reading)} />
      ) : (
        <p class="delta muted">No records of {beforeWords} to compare with</p>
      )}
    </div>
  );
}

function Body({ route, days, reading }: MainProps): JSX.Element {
  const { currency } = useFrame();
  const { title, unit, members, course, open, total } = reading;
  if (!members.now.length) return <p class="none">No records in this range.</p>;
  if (route.shape === "table") return <SheetTable sheet={sheetOf(route, days, reading)} currency={currency} caption={title} />;
  if (isWhole(route)) return <></>;
  const hrefOf = drills(route.by) ? (key: string): string => to(route, { bar: key, day: undefined }) : undefined;
  if (!isTime(route.by)) return <Ranking figure={route.figure} by={route.by} unit={unit} rows={members.now} before={members.before} total={valueOf(total?.answer)} neutral={isNeutral(route, reading)} hrefOf={hrefOf} />;
  const onPick = hrefOf && ((key: string) => (location.hash = hrefOf(key)));
  return <Course title={title} by={route.by} unit={unit} now={course.now} before={course.before} open={open} onPick={onPick} action="its orders" />;
}

function Shape({ route }: { route: Route }): JSX.Element {
  return (
    <nav class="shape" aria-label="Chart or table">
      <a class="button" href={to(route, { shape: "chart" })} aria-current={route.shape === "chart" ? "true" : undefined}>
        Chart
      </a>
      <a class="button" href={to(route, { shape: "table" })} aria-current={route.shape === "table" ? "true" : undefined}>
        Table
      </a>
    </nav>
  );
}
