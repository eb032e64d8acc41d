/** The view is in the URL's fragment, so that a link shows the same view to others. */

import type { Basis } from "../api/shapes";
import { isDay } from "../format/times";

export type Page = "live" | "sales" | "data";

export interface Route {
  page: Page;
  basis: Basis;
  figure: string;
  by: string;
  from: string | undefined;
  to: string | undefined;
  shape: "chart" | "table";
  /** The bar whose orders are listed. */
  bar: string | undefined;
  /** The day of those orders, if the bar covers several days. */
  day: string | undefined;
}

export const HOME: Route = { page: "live", basis: "movement", figure: "net_sales", by: "day", from: undefined, to: undefined, shape: "chart", bar: undefined, day: undefined };

const NAME = /^[a-z0-9_]{1,64}$/;

export function readRoute(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?");
  const query = new URLSearchParams(search);
  const page: Page = path === "sales" || path === "data" ? path : "live";
  const named = (key: string, fallback: string): string => {
    const value = query.get(key);
    return value && NAME.test(value) ? value : fallback;
  };
  const day = (key: string): string | undefined => {
    const value = query.get(key);
    return value && isDay(value) ? value : undefined;
  };
  return {
    page,
    basis: query.get("basis") === "order" ? "order" : "movement",
    figure: named("figure", HOME.figure),
    by: named("by", HOME.by),
    from: day("from"),
    to: day("to"),
    shape: query.get("shape") === "table" ? "table" : "chart",
    bar: query.get("bar") ?? undefined,
    day: day("day"),
  };
}

/** The shortest fragment for this route. */
export function writeRoute(route: Route): string {
  const query = new URLSearchParams();
  const keys = route.page === "sales" ? (["figure", "by", "from", "to", "basis", "shape", "bar", "day"] as const) : (["basis"] as const);
  for (const key of keys) {
    const value = key === "day" && route.bar === undefined ? undefined : route[key];
    if (value !== undefined && value !== HOME[key]) query.set(key, value);
  }
  const search = query.toString();
  return `#/${route.page}${search ? `?${search}` : ""}`;
}

export function to(route: Route, change: Partial<Route>): string {
  return writeRoute({ ...route, ...change });
}
