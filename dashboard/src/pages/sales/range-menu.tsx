import type { JSX } from "preact";
import type { Live } from "../../api/shapes";
import { addDays } from "../../format/times";
import { Menu } from "../../parts/menu";
import { type Route, to } from "../../state/route";

/** Links from the live day to other ranges on the Sales page. */
export function RangeMenu({ live, route, label }: { live: Live; route: Route; label: string }): JSX.Element {
  const last = live.shop.today ?? "";
  const sales = (title: string, from: string, until: string): { title: string; href: string } => ({
    title,
    href: to(route, { page: "sales", from, to: until, by: from === until ? "hour" : "day", bar: undefined }),
  });
  return (
    <Menu
      name="Range"
      label={label}
      choices={[
        { title: label, href: to(route, { page: "live" }), current: true },
        sales("Day before", addDays(last, -1), addDays(last, -1)),
        sales("Last 7 days", addDays(last, -6), last),
        sales("Last 28 days", addDays(last, -27), last),
        sales("This month", `${last.slice(0, 7)}-01`, last),
      ]}
    />
  );
}
