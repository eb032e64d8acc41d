/** Any range, basis and grouping of any figure, with the orders of each bar. */

import type { JSX } from "preact";
import { ask } from "../../api/http";
import type { Answer } from "../../api/shapes";
import { printable } from "../../format/printable";
import { useFrame } from "../../parts/frame";
import { NoRecords, Refused, Skeleton } from "../../parts/states";
import { useQuery } from "../../state/hooks";
import type { Phase } from "../../state/phase";
import type { Route } from "../../state/route";
import { wordsOf } from "../live/words";
import { MainFigure } from "./main-figure";
import { Multiples } from "./multiples";
import { OrdersPanel } from "./orders";
import { rangeOf } from "./range";
import { type Days, useReading } from "./reading";
import { Toolbar, groupingFor } from "./toolbar";

/** How often to look for a new day. */
const DAYS_MS = 60_000;

export function SalesPage({ phase, route: asked, now }: { phase: Phase; route: Route; now: number }): JSX.Element {
  const { basis, definitions } = useFrame();
  const route = { ...asked, by: groupingFor(definitions.get(asked.figure), asked.by) };
  const known = useQuery(`days ${basis}`, (signal) => ask({ figure: "net_sales", by: "day", basis }, signal), DAYS_MS);
  if (known.answer && definitions.size > 0) {
    const days = daysOf(known.answer, phase, route, now);
    return days ? <View days={days} phase={phase} route={route} /> : <NoRecords />;
  }
  if (known.refusal) return <Refused refusal={known.refusal} retry={known.retry} />;
  return <Loading />;
}

function daysOf({ rows }: Answer, phase: Phase, route: Route, now: number): Days | null {
  const first = rows[0]?.key;
  const known = rows.at(-1)?.key;
  if (first === undefined || known === undefined) return null;
  const today = phase.kind === "shown" ? phase.live.shop.today : null;
  const last = today !== null && today > known ? today : known;
  const running = phase.kind === "shown" && wordsOf(phase.live, now).open ? today : null;
  return { range: rangeOf(route.from, route.to, first, last), first, last, running };
}

function View({ days, phase, route }: { days: Days; phase: Phase; route: Route }): JSX.Element {
  const reading = useReading(route, days);
  const stale = phase.kind === "shown" && phase.stale;
  const late = phase.kind === "shown" ? phase.partial : [];
  const label = reading.members.now.find(({ key }) => key === route.bar)?.label ?? printable(route.bar ?? "");
  return (
    <>
      <Toolbar route={route} range={days.range} first={days.first} last={days.last} />
      {late.length > 0 && (
        <p class="banner partial" role="status">
          {late.map(({ name, state }) => `${name} ${state}`).join(", ")}: these figures may still grow.
        </p>
      )}
      <div class={stale ? "grid stale" : "grid"}>
        <MainFigure route={route} days={days} reading={reading} />
        {route.bar !== undefined && <OrdersPanel route={route} bar={route.bar} label={label ?? ""} range={days.range} />}
      </div>
      <Multiples route={route} days={days} reading={reading} />
    </>
  );
}

function Loading(): JSX.Element {
  return (
    <div role="status" aria-label="Loading figures">
      <div class="toolbar">
        <Skeleton height={48} />
      </div>
      <div class="grid" aria-hidden="true">
        <section class="panel full">
          <Skeleton height={440} />
        </section>
      </div>
    </div>
  );
}
