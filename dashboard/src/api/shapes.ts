/** The shapes of docs/reference/http-api.md. Amounts, quantities, rates and keys are decimal strings; null is "unknown". */

export type Text = string | null;
export type Basis = "movement" | "order";
export type Unit = "money" | "count" | "quantity" | "ratio";

export interface Definition {
  name: string;
  title: string;
  definition: string;
  formula: string;
  unit: Unit;
  bases: Basis[];
  groupings: string[];
  sql: string;
}

export interface Place {
  topic: string;
  partition: string;
  next: string;
}

export interface Row {
  key: string;
  label: string;
  value: Text;
}

export interface Answer {
  figure: string;
  unit: Unit;
  currency: string;
  /** Null if the figure has none. */
  basis: Basis | null;
  time_zone: string;
  by: string;
  from: Text;
  to: Text;
  as_of: string;
  event_time: Text;
  positions: Place[];
  unconverted: { currency: string; rows: number }[];
  rows: Row[];
}

export interface Shop {
  name: string;
  time_zone: string;
  currency: string;
  /** The latest time of records that are ahead of the clock, if there are any. */
  ahead_to?: Text;
  /** The shop's day of the latest event time that is not ahead of the clock; null before the first record. */
  today: Text;
  minute: number | null;
}

export interface Sink {
  name: string;
  state: "current" | "behind" | "stopped";
  behind_records: number | null;
  behind_ms: number | null;
  committed_at: Text;
  /** The duration of the last commit, and of the slowest of the last hundred. */
  commit_us: number | null;
  commit_us_max: number | null;
}

export interface Counts {
  read: number | null;
  accepted: number | null;
  duplicates: number | null;
  dead_letters: number | null;
}

export interface Tile {
  figure: string;
  unit: Unit;
  value: Text;
  yesterday: Text;
  last_week: Text;
  today: Text[];
  ghost: Text[];
}

export interface Product {
  key: string;
  label: string;
  units: Text;
  net: Text;
  return_rate: Text;
  trend: Text[];
}

export interface Live {
  as_of: string;
  event_time: Text;
  shop: Shop;
  basis: Basis;
  sinks: Sink[];
  dead_letters_today: number | null;
  rate_per_s: number | null;
  records: Counts;
  proof: { at: string; ok: boolean } | null;
  tiles: Tile[];
  day: { today: Text[]; last_week: Text[]; last_week_total: Text };
  funnel: { step: string; sessions: number | null }[];
  orders_by_hour: { today: (number | null)[]; last_week: (number | null)[] };
  by_category: { key: string; label: string; net: Text }[];
  by_country: { key: string; label: string; net: Text; orders: number | null }[];
  top_products: Product[];
}

export interface Partition {
  topic: string;
  partition: string;
  log_start: Text;
  log_end: Text;
  archive: Text;
  lake: Text;
  warehouse: Text;
  live: Text;
}

export interface Span {
  topic: string;
  partition: string;
  from: string;
  to: string;
  read: number;
  accepted: number;
  duplicates: number;
  dead_letters: number;
  gap: number;
  committed_at: string;
}

export interface Reason {
  reason: string;
  meaning: string;
  stream: string;
  count: number;
  example: { topic: string; partition: string; offset: string; field: string; detail: string; value: string } | null;
}

export interface Finding {
  kind: string;
  sink: string;
  table: string;
  topic: string;
  partition: string;
  from: string;
  to: string;
  detail: string;
}

export interface Pipeline {
  as_of: string;
  sinks: Sink[];
  partitions: Partition[];
  records: Counts;
  rate_per_s: number | null;
  memory_bytes: number | null;
  spans: Span[];
  dead_letters: { total: number | null; today: number | null; by_reason: Reason[] };
  proof: { at: string; ok: boolean; findings: Finding[] } | null;
}

export interface Order {
  order_id: string;
  ordered_at: string;
  customer: Text;
  country: Text;
  lines: number | null;
  units: Text;
  net: Text;
}

export interface Orders {
  rows: Order[];
  truncated: boolean;
}
