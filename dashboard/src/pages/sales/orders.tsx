import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { orders } from "../../api/http";
import type { Order } from "../../api/shapes";
import { count } from "../../format/figures";
import { momentIn } from "../../format/times";
import { type Frame, useFrame } from "../../parts/frame";
import { Refused, Skeleton } from "../../parts/states";
import { type Sheet, SheetTable, saveSheet } from "../../parts/table";
import { useQuery } from "../../state/hooks";
import { type Route, to } from "../../state/route";
import { isTime } from "./buckets";
import { drillDays, drillQuery, drillTitle, hasDays } from "./drill";
import type { Range } from "./range";

const LIMIT = "200";

/** The orders of the selected bar. */
export function OrdersPanel({ route, bar, label, range }: { route: Route; bar: string; label: string; range: Range }): JSX.Element {
  const frame = useFrame();
  const heading = useRef<HTMLHeadingElement>(null);
  const days = drillDays(route.by, bar, route.day, range);
  const query = { ...drillQuery(route.by, bar, days), basis: route.basis, limit: LIMIT };
  const { answer, refusal, retry } = useQuery(JSON.stringify(query), (signal) => orders(query, signal));
  const title = drillTitle(route.by, label, days);
  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
    heading.current?.scrollIntoView({ block: "nearest" });
  }, [bar]);
  const sheet = answer && sheetOf(answer.rows, `orders-${isTime(route.by) ? "" : `${bar}-`}${days.from}-${days.to}`, frame);
  return (
    <section class="panel full orders" aria-label={title}>
      <header class="panel-head">
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        <div class="panel-actions">
          {!isTime(route.by) && range.from !== range.to && (
            <input
              type="date"
              class="button"
              aria-label="Day of the orders"
              title="Only the orders of one day"
              value={route.day ?? ""}
              min={range.from}
              max={range.to}
              onChange={(event) => (location.hash = to(route, { day: event.currentTarget.value || undefined }))}
            />
          )}
          {hasDays(route.by) && (
            <a class="button" href={to(route, { by: "day", ...days, bar: undefined })}>
              Its days
            </a>
          )}
          {sheet && (
            <button type="button" class="button" onClick={() => saveSheet(sheet)}>
              CSV
            </button>
          )}
          <a class="button" href={to(route, { bar: undefined, day: undefined })}>
            Close
          </a>
        </div>
      </header>
      {refusal && !answer && <Refused refusal={refusal} retry={retry} />}
      {!answer && !refusal && <Skeleton lines={6} />}
      {sheet && (sheet.rows.length ? <SheetTable sheet={sheet} currency={frame.currency} caption={title} /> : <p class="none">No orders.</p>)}
      {answer && answer.rows.length > 0 && (
        <p class="note">
          {answer.truncated ? `The ${count(answer.rows.length)} largest; there are more.` : `${count(answer.rows.length)} orders, largest first.`}
        </p>
      )}
    </section>
  );
}

function sheetOf(rows: Order[], name: string, frame: Frame): Sheet {
  return {
    name,
    columns: [
      { title: "Order", unit: "text" },
      { title: "Ordered", unit: "text" },
      { title: "Customer", unit: "text" },
      { title: "Country", unit: "text" },
      { title: "Lines", unit: "count" },
      { title: "Units", unit: "quantity" },
      { title: "Net sales", unit: "money" },
    ],
    rows: rows.map(({ order_id, ordered_at, customer, country, lines, units, net }) => [order_id, momentIn(frame.zone, ordered_at), customer, country, lines, units, net]),
  };
}
