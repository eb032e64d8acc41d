// A plausible synthetic shop for viewing the dashboard: seeded, in whole pence, consistent between pages.

const CURVE = Array.from({ length: 96 }, (_, quarter) => {
  const hour = quarter / 4;
  const bump = (at, width, height) => height * Math.exp(-(((hour - at) / width) ** 2));
  return 0.02 + bump(12.5, 3.2, 1) + bump(19.5, 2.2, 1.15) + bump(9, 2, 0.35);
});
const CURVE_SUM = CURVE.reduce((sum, value) => sum + value, 0);
const WEEKDAYS = [1.12, 0.94, 0.92, 0.95, 1.0, 1.06, 1.18];

export const CATEGORIES = [["Home & kitchen", 0.315], ["Gifts", 0.245], ["Toys", 0.151], ["Stationery", 0.106], ["Garden", 0.083], ["Christmas", 0.041], ["Bags", 0.032], ["Bath", 0.012], ["Lighting", 0.01], ["Textiles", 0.005]];
export const COUNTRIES = [["GB", "United Kingdom", 0.71], ["DE", "Germany", 0.09], ["FR", "France", 0.075], ["IE", "Ireland", 0.052], ["NL", "Netherlands", 0.031], ["ES", "Spain", 0.022], ["SE", "Sweden", 0.012], ["CH", "Switzerland", 0.008]];
export const PRODUCTS = [["22423", "Regency cakestand 3 tier", 0.042, "0.012"], ["85123A", "White hanging heart T-light holder", 0.025, "0.005"], ["47566", "Party bunting", 0.0213, "0"], ["85099B", "Jumbo bag red retrospot", 0.0206, "0.029"], ["22086", "Paper chain kit 50's Christmas", 0.018, "0.007"], ["84879", "Assorted colour bird ornament", 0.0163, "0.011"], ["79321", "Chilli lights", 0.0141, null], ["22386", "Jumbo bag pink polkadot", 0.0128, "0.018"]];

function noise(seed) {
  let h = 2166136261;
  for (const c of seed) h = Math.imul(h ^ c.charCodeAt(0), 16777619);
  h = Math.imul(h ^ (h >>> 15), 2246822507);
  h = Math.imul(h ^ (h >>> 13), 3266489909);
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
}

export const addDays = (day, n) => new Date(Date.parse(`${day}T12:00:00Z`) + n * 86_400_000).toISOString().slice(0, 10);
export const money = (pence) => `${pence < 0 ? "-" : ""}${Math.floor(Math.abs(pence) / 100)}.${String(Math.abs(pence) % 100).padStart(2, "0")}`;
export const ratio = (top, bottom, digits = 4) => (bottom ? (top / bottom).toFixed(digits) : null);

/** Net pence and orders of one quarter hour of one day. */
export function quarter(day, index) {
  const weekday = new Date(`${day}T12:00:00Z`).getUTCDay();
  const trend = 1 + 0.1 * Math.sin(Date.parse(`${day}T12:00:00Z`) / (86_400_000 * 29));
  const total = 9_600_000 * WEEKDAYS[weekday] * trend * (0.92 + 0.16 * noise(day));
  const net = Math.round((total * CURVE[index] * (0.78 + 0.44 * noise(`${day}#${index}`))) / CURVE_SUM);
  return { net, orders: Math.round(net / (3950 + 480 * noise(`o${day}#${index}`))), units: Math.round(net / 1370) };
}

/** All that is counted of a day up to a minute. */
export function day(date, minute = 1440) {
  const quarters = Array.from({ length: 96 }, (_, index) => {
    const part = Math.min(1, Math.max(0, (minute - index * 15) / 15));
    const full = quarter(date, index);
    return { net: Math.round(full.net * part), orders: Math.round(full.orders * part), units: Math.round(full.units * part) };
  });
  const sum = (key) => quarters.reduce((total, one) => total + one[key], 0);
  const net = sum("net");
  const orders = sum("orders");
  const returns = Math.round(net * (0.018 + 0.02 * noise(`r${date}`)));
  const discounts = Math.round(net * (0.03 + 0.04 * noise(`d${date}`)));
  const sessions = Math.round(orders * (41 + 4 * noise(`s${date}`)));
  return { date, quarters, net, orders, units: sum("units"), returns, discounts, gross: net + returns + discounts, sessions, active: Math.round(sessions * 0.93), newCustomers: Math.round(orders * (0.3 + 0.1 * noise(`n${date}`))) };
}

/** Splits pence by weights, the rest to the last, so that parts add up to the whole. */
export function split(pence, weights, seed) {
  let left = pence;
  const tilted = weights.map((weight, index) => weight * (0.9 + 0.2 * noise(`${seed}${index}`)));
  const all = tilted.reduce((sum, weight) => sum + weight, 0);
  return tilted.map((weight, index) => {
    const part = index === weights.length - 1 ? left : Math.round((pence * weight) / all);
    left -= part;
    return part;
  });
}

export function orderRows(date, limit) {
  const rows = Array.from({ length: Math.min(limit, 60) }, (_, index) => {
    const pence = Math.round(98_000 * 0.93 ** index * (0.96 + 0.04 * noise(`${date}o${index}`)));
    const minute = Math.floor(480 + 700 * noise(`${date}m${index}`));
    const time = `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
    const country = COUNTRIES[Math.floor(noise(`${date}c${index}`) ** 2 * COUNTRIES.length)];
    return { order_id: String(536_365 + Math.floor(noise(`${date}i${index}`) * 40_000)), ordered_at: `${date}T${time}:00Z`, customer: index % 7 === 3 ? null : String(12_347 + Math.floor(noise(`${date}k${index}`) * 5900)), country: country[1], lines: 1 + Math.floor(pence / 4200), units: String(Math.max(1, Math.floor(pence / 1370))), net: index === 40 ? money(-pence) : money(pence) };
  });
  return { rows, truncated: limit < 60 };
}
