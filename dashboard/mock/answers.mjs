// The mock's answers in the shapes of docs/reference/http-api.md.

import { CATEGORIES, COUNTRIES, PRODUCTS, addDays, day, money, orderRows, ratio, split } from "./shop.mjs";

export const ZONE = "Europe/London";
const HISTORY_DAYS = 400;

const definition = (name, title, unit, meaning, formula, groupings) => ({
  name, title, definition: meaning, formula, unit, bases: basesOf(name, groupings), groupings,
  sql: `SELECT sum(net_amount_reporting) AS value\nFROM sales_flat\nWHERE movement_date = DATE '2026-11-20'`,
});
const basesOf = (name, groupings) => (groupings === COUNTED || groupings.length === 1 ? [] : ["orders", "aov", "return_rate"].includes(name) ? ["order"] : ["movement", "order"]);
const SALES = ["total", "hour", "quarter_hour", "day", "week", "month", "category", "product", "country", "customer", "channel"];
const COUNTED = ["total", "hour", "day", "week", "month"];

export const CATALOGUE = [
  definition("net_sales", "Net sales", "money", "What customers bought, less discounts and what they sent back. Tax and shipping are apart.", "Σ net_amount over all movements = gross − discounts − returns + adjustments", SALES),
  definition("gross_sales", "Gross sales", "money", "What customers bought at list price.", "Σ gross_amount, movement = sale, is_test false", SALES),
  definition("discounts", "Discounts", "money", "What was taken off list prices.", "Σ discount_amount", SALES),
  definition("returns", "Returns", "money", "What went back to customers.", "−Σ net_amount, movement in (return, cancellation)", SALES),
  definition("orders", "Orders", "count", "Distinct orders with a sale, on the day of the order.", "count distinct order_id, movement = sale", SALES),
  definition("aov", "Average order value", "money", "What an order is worth on average.", "(gross − discounts) ÷ orders", SALES),
  definition("units", "Units", "quantity", "Pieces sold, less pieces returned.", "Σ quantity", SALES),
  definition("active_customers", "Active customers", "count", "People who did anything at all on the shop's day.", "count distinct customer_id, else anonymous_id", COUNTED),
  definition("sessions", "Sessions", "count", "Visits; half an hour of silence ends one.", "count distinct session_id", COUNTED),
  definition("conversion", "Conversion", "ratio", "Visits that ended in an order.", "sessions with an order ÷ sessions", COUNTED),
  definition("new_customers", "New customers", "count", "Customers whose first order ever is on that day.", "count distinct customer_id whose first order is in the window", COUNTED),
  definition("return_rate", "Return rate", "ratio", "Units sent back among units sold.", "returned units ÷ sold units, by order date", SALES),
  definition("funnel", "From view to payment", "count", "Sessions that came as far as each step.", "viewed → added → checkout → paid, by session, in order of time", ["step"]),
  definition("payments", "Payments", "money", "Money captured, by method.", "Σ amount of captures − refunds", ["total", "day", "month", "method", "status"]),
];

const VALUES = {
  net_sales: (d) => money(d.net), gross_sales: (d) => money(d.gross), discounts: (d) => money(d.discounts), returns: (d) => money(d.returns),
  total_sales: (d) => money(Math.round(d.net * 1.2)), orders: (d) => String(d.orders), aov: (d) => (d.orders ? money(Math.round((d.net + d.returns) / d.orders)) : null),
  units: (d) => String(d.units), active_customers: (d) => String(d.active), sessions: (d) => String(d.sessions), conversion: (d) => ratio(d.orders, d.sessions),
  new_customers: (d) => String(d.newCustomers), return_rate: (d) => ratio(Math.round(d.units * 0.021), d.units), payments: (d) => money(d.net),
};
const ADDED = ["net", "gross", "discounts", "returns", "orders", "units", "sessions", "active", "newCustomers"];

export function instantOf(now) {
  const parts = Object.fromEntries(new Intl.DateTimeFormat("en-CA", { timeZone: ZONE, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).formatToParts(now).map((part) => [part.type, part.value]));
  return { today: `${parts.year}-${parts.month}-${parts.day}`, minute: Number(parts.hour) * 60 + Number(parts.minute) };
}

const cache = new Map();
function dayOf(date, { today, minute }) {
  if (date === today) return day(date, minute);
  if (!cache.has(date)) cache.set(date, day(date));
  return cache.get(date);
}

function sumOf(days) {
  const total = Object.fromEntries(ADDED.map((key) => [key, 0]));
  for (const one of days) for (const key of ADDED) total[key] += one[key];
  return total;
}

const positions = (minute) => [0, 1].map((partition) => ({ topic: "order_lines", partition: String(partition), next: String(48_210 + partition * 117 + minute * 31) }));

export function figureAnswer(name, query, at, now) {
  const entry = CATALOGUE.find((one) => one.name === name);
  if (!entry) return { status: 404, body: { error: { code: "unknown_figure", message: `there is no figure ${name}`, hint: `figures: ${CATALOGUE.map((one) => one.name).join(", ")}` } } };
  const by = query.get("by") ?? "total";
  if (by !== "total" && !entry.groupings.includes(by)) return { status: 400, body: { error: { code: "unknown_grouping", message: `${name} cannot be grouped by ${by}`, hint: `groupings: ${entry.groupings.join(", ")}` } } };
  const first = addDays(at.today, -HISTORY_DAYS);
  const from = [query.get("from") ?? first, first].sort()[1];
  const to = [query.get("to") ?? at.today, at.today].sort()[0];
  const days = [];
  for (let date = from; date <= to; date = addDays(date, 1)) days.push(dayOf(date, at));
  const rows = by === "step" ? steps(sumOf(days)) : rowsBy(name, by, days, `${at.today}T${String(Math.floor(at.minute / 60)).padStart(2, "0")}`);
  return { status: 200, body: { figure: name, unit: entry.unit, currency: "GBP", basis: query.get("basis") ?? "movement", time_zone: ZONE, by, from: query.get("from"), to: query.get("to"), as_of: now.toISOString(), event_time: now.toISOString(), positions: positions(at.minute), unconverted: name === "gross_sales" ? [{ currency: "SEK", rows: 3 }] : [], rows } };
}

const KEYS = { day: (date) => date, month: (date) => date.slice(0, 7), week: isoWeek };

function isoWeek(date) {
  const thursday = new Date(`${addDays(date, 3 - ((new Date(`${date}T12:00:00Z`).getUTCDay() + 6) % 7))}T12:00:00Z`);
  const start = Date.UTC(thursday.getUTCFullYear(), 0, 1, 12);
  return `${thursday.getUTCFullYear()}-W${String(1 + Math.floor((thursday - start) / 604_800_000)).padStart(2, "0")}`;
}

function rowsBy(name, by, days, nowKey) {
  const value = VALUES[name];
  if (by === "total") return [{ key: "total", label: "total", value: value(sumOf(days)) }];
  if (by === "hour") return days.flatMap((one) => hours(one).map((hour, index) => ({ key: `${one.date}T${String(index).padStart(2, "0")}`, label: `${one.date}T${String(index).padStart(2, "0")}`, value: value(hour) }))).filter(({ key }) => key <= nowKey);
  if (KEYS[by]) {
    const groups = Map.groupBy ? Map.groupBy(days, (one) => KEYS[by](one.date)) : grouped(days, (one) => KEYS[by](one.date));
    return [...groups].map(([key, list]) => ({ key, label: key, value: value(sumOf(list)) }));
  }
  return parts(name, by, sumOf(days));
}

function grouped(list, keyOf) {
  const groups = new Map();
  for (const one of list) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return groups;
}

function hours(one) {
  return Array.from({ length: 24 }, (_, hour) => {
    const slice = one.quarters.slice(hour * 4, hour * 4 + 4);
    const add = (key) => slice.reduce((sum, quarter) => sum + quarter[key], 0);
    return { net: add("net"), gross: Math.round(add("net") * 1.07), discounts: Math.round(add("net") * 0.05), returns: Math.round(add("net") * 0.02), orders: add("orders"), units: add("units"), sessions: add("orders") * 42, active: add("orders") * 39, newCustomers: Math.round(add("orders") * 0.33) };
  });
}

function members(by) {
  if (by === "category") return CATEGORIES.map(([name, weight]) => [name, name, weight]);
  if (by === "country") return COUNTRIES;
  if (by === "product") return [...PRODUCTS, ...Array.from({ length: 60 }, (_, index) => [String(20_700 + index * 13), `Vintage doily pattern No. ${index + 1}`, 0.012 * 0.95 ** index])];
  if (by === "customer") return Array.from({ length: 40 }, (_, index) => [String(12_346 + index * 37), `Customer ${12_346 + index * 37}`, 0.08 * 0.9 ** index]);
  if (by === "method") return [["card", "card", 0.7], ["paypal", "paypal", 0.3]];
  return [["web", "web", 0.8], ["store", "store", 0.2]];
}

function parts(name, by, total) {
  const list = members(by);
  const value = VALUES[name];
  const split_ = Object.fromEntries(ADDED.map((key) => [key, split(total[key], list.map((one) => one[2]), by)]));
  const rows = list.map(([key, label], index) => ({ key, label, value: value(Object.fromEntries(ADDED.map((added) => [added, split_[added][index]]))) }));
  if (by === "product" && name === "net_sales") rows.push({ key: "M", label: "Manual correction", value: "-1284.50" });
  return rows.sort((a, b) => Number(b.value) - Number(a.value));
}

function steps(total) {
  return [["viewed", 1], ["added", 0.143], ["checkout", 0.0933]].map(([key, part]) => ({ key, label: key, value: String(Math.round(total.sessions * 0.42 * part)) })).concat({ key: "paid", label: "paid", value: String(total.orders) });
}

export function live(basis, at, now, state) {
  const { today, minute } = at;
  const days = { now: dayOf(today, at), yesterday: day(addDays(today, -1), minute), lastWeek: day(addDays(today, -7), minute), ghost: dayOf(addDays(today, -7), at) };
  const upTo = Math.floor(minute / 15) + 1;
  const firstDay = state === "first_day";
  const tile = (name) => {
    const unit = CATALOGUE.find((one) => one.name === name).unit;
    const value = VALUES[name];
    const line = (one, count) => one.quarters.slice(0, count).map((quarter) => sparkOf(name, quarter));
    return { figure: name, unit, value: value(days.now), yesterday: firstDay ? null : value(days.yesterday), last_week: firstDay ? null : value(days.lastWeek), today: line(days.now, upTo), ghost: firstDay ? [] : line(days.ghost, 96) };
  };
  const instant = now.toISOString();
  return {
    as_of: instant, event_time: instant,
    shop: { name: "Harbour & Pine", time_zone: ZONE, currency: "GBP", today, minute }, basis,
    sinks: sinks(instant, state), dead_letters_today: 12, rate_per_s: state === "past" ? 0 : 1980, records: counts(minute),
    proof: state === "first_day" ? null : { at: new Date(now.getTime() - 125_000).toISOString(), ok: state !== "unproven" },
    tiles: ["net_sales", "orders", "aov", "units", "active_customers", "conversion"].map(tile),
    day: { today: cumulative(days.now.quarters.slice(0, upTo)), last_week: firstDay ? [] : cumulative(days.ghost.quarters), last_week_total: firstDay ? null : money(days.ghost.net) },
    funnel: steps(days.now).map(({ key, value }) => ({ step: key, sessions: Number(value) })),
    orders_by_hour: { today: hours(days.now).slice(0, Math.floor(minute / 60) + 1).map((one) => one.orders), last_week: firstDay ? [] : hours(days.ghost).map((one) => one.orders) },
    by_category: withOther(parts("net_sales", "category", days.now)), by_country: countries(days.now), top_products: products(days.now, Math.floor(minute / 60) + 1),
  };
}

function sparkOf(name, quarter) {
  if (name === "net_sales") return money(quarter.net);
  if (name === "aov") return quarter.orders ? money(Math.round(quarter.net / quarter.orders)) : null;
  if (name === "conversion") return ratio(quarter.orders, quarter.orders * 42 + (quarter.net % 97));
  return String(name === "units" ? quarter.units : name === "orders" ? quarter.orders : quarter.orders * 39 + (quarter.net % 23));
}

function cumulative(quarters) {
  let sum = 0;
  return quarters.map(({ net }) => money((sum += net)));
}

function withOther(rows) {
  const pence = rows.slice(8).reduce((sum, row) => sum + Math.round(Number(row.value) * 100), 0);
  return [...rows.slice(0, 8).map(({ key, label, value }) => ({ key, label, net: value })), { key: "Other", label: "Other", net: money(pence) }];
}

function countries(total) {
  const orders = parts("orders", "country", total);
  return parts("net_sales", "country", total).map(({ key, label, value }) => ({ key, label, net: value, orders: Number(orders.find((row) => row.key === key).value) }));
}

function products(total, hoursSoFar) {
  return PRODUCTS.map(([key, label, weight, return_rate]) => ({
    key, label, units: String(Math.round(total.units * weight)), net: money(Math.round(total.net * weight)), return_rate,
    trend: hours(total).slice(0, hoursSoFar).map((hour, index) => money(Math.round(hour.net * weight * (0.5 + ((index * 7 + key.length * 3) % 11) / 10)))),
  })).sort((a, b) => Number(b.net) - Number(a.net));
}

export function sinks(instant, state) {
  const at = (ms) => new Date(Date.parse(instant) - ms).toISOString();
  const one = (name, ms) => ({ name, state: "current", behind_records: 0, behind_ms: 0, committed_at: at(ms), commit_us: 12_400, commit_us_max: 48_000 });
  const list = [one("archive", 1400), one("lake", 2100), one("live", 30)];
  if (state === "partial") Object.assign(list[1], { state: "behind", behind_records: 48_200, behind_ms: 24_000, committed_at: at(26_000) });
  if (state === "stale") Object.assign(list[2], { state: "behind", behind_records: 152_000, behind_ms: 77_000, committed_at: at(77_000) });
  return list;
}

function counts(minute) {
  const read = 8_412_900 + minute * 1980;
  return { read, accepted: read - 41_203 - 40, duplicates: 41_203, dead_letters: 40 };
}

const REASONS = [
  ["not_json", "The record is not JSON by RFC 8259.", "events", 14, "", "expected `,` or `}` at byte 61", '{"event_id":"e-88213","type":"page_viewed","url":"/garden" "device":"phone"}'],
  ["missing_field", "A field that the contract requires is absent, null or empty.", "order_lines", 11, "product_id", "product_id is null", '{"order_id":"581219","line_id":"4","product_id":null,"quantity":"2","unit_price":"12.75"}'],
  ["wrong_type", "A field has another type than the contract's.", "orders", 8, "lines[2].quantity", "quantity is an object, the contract says decimal", '{"order_id":"581230","lines":[{"quantity":"1"},{"quantity":"6"},{"quantity":{"value":3}}]}'],
  ["unknown_currency", "A currency is not an ISO 4217 code.", "payments", 5, "currency", "`GBX` is not an ISO 4217 code", '{"payment_id":"p-20031","order_id":"581198","amount":"1599","currency":"GBX"}'],
  ["conflict", "The id was seen before with other contents.", "order_lines", 2, "", "order 581102 line 2 was seen at order_lines/0 offset 47110", '{"order_id":"581102","line_id":"2","product_id":"22423","quantity":"1","unit_price":"10.95"}'],
];

/** In the state `many` each of them in three streams. */
const reasonsOf = (state) => (state === "many" ? ["", "_de", "_fr"].flatMap((shop) => REASONS.map(([reason, meaning, stream, ...rest]) => [reason, meaning, `${stream}${shop}`, ...rest])) : REASONS);

export function pipeline(at, now, state) {
  const instant = now.toISOString();
  const behind = state === "partial" ? 48_200 : 0;
  const topics = [["events", 0, 4_100_300], ["events", 1, 4_088_120], ["order_lines", 0, 91_210], ["order_lines", 1, 91_327], ["payments", 0, 40_118]];
  const empty = state === "empty";
  return {
    as_of: instant, sinks: sinks(instant, state), rate_per_s: empty ? 0 : 1980, memory_bytes: 129_400_832,
    records: empty ? { read: 0, accepted: 0, duplicates: 0, dead_letters: 0 } : counts(at.minute),
    partitions: empty ? [] : topics.map(([topic, partition, end]) => ({ topic, partition: String(partition), log_start: "0", log_end: String(end), archive: String(end), lake: String(end - (topic === "events" ? behind : 0)), live: topic === "payments" ? null : String(end) })),
    spans: empty ? [] : Array.from({ length: 12 }, (_, index) => ({ topic: topics[index % 5][0], partition: String(topics[index % 5][1]), from: String(topics[index % 5][2] - 2000 * (index + 1)), to: String(topics[index % 5][2] - 2000 * index), read: 2000, accepted: 1991 - index, duplicates: 8 + index, dead_letters: 1, gap: index === 7 ? 40 : 0, committed_at: new Date(now.getTime() - 1400 * (index + 1)).toISOString() })),
    dead_letters: empty ? { total: 0, today: 0, by_reason: [] } : { total: 40, today: 12, by_reason: reasonsOf(state).map(([reason, meaning, stream, count, field, detail, value], index) => ({ reason, meaning, stream, count, example: { topic: stream, partition: "0", offset: String(771 + index * 4021), field, detail, value } })) },
    proof: empty || state === "first_day" ? null : { at: new Date(now.getTime() - 125_000).toISOString(), ok: state !== "unproven", findings: state === "unproven" ? [{ kind: "gap", sink: "lake", table: "fact_sales", topic: "order_lines", partition: "0", from: "4810", to: "4822", detail: "12 records are in the archive but not in the table" }] : [] },
  };
}

export function emptyLive(basis, now) {
  return {
    as_of: now.toISOString(), event_time: null, shop: { name: "Harbour & Pine", time_zone: ZONE, currency: "GBP", today: null, minute: null }, basis, sinks: sinks(now.toISOString(), "empty"),
    dead_letters_today: 0, rate_per_s: 0, records: { read: 0, accepted: 0, duplicates: 0, dead_letters: 0 }, proof: null, tiles: [], day: { today: [], last_week: [], last_week_total: null }, funnel: [],
    orders_by_hour: { today: [], last_week: [] }, by_category: [], by_country: [], top_products: [],
  };
}

export function ordersAnswer(query) {
  return orderRows(query.get("day") ?? query.get("to") ?? "2026-11-19", Number(query.get("limit") ?? 100));
}
