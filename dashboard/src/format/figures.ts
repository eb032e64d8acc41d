/** Figures in the reader's locale. Intl formats decimal strings exactly. */

import type { Text, Unit } from "../api/shapes";
import { compare, divide, isDecimal, magnitude, subtract } from "./decimal";

export const UNKNOWN = "–";

let locale: string | undefined;
const formats = new Map<string, Intl.NumberFormat>();

/** For tests: the locale of all texts. Undefined is the browser's. */
export function useLocale(name: string | undefined): void {
  locale = name;
  formats.clear();
}

function format(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = JSON.stringify(options);
  let found = formats.get(key);
  if (!found) {
    found = new Intl.NumberFormat(locale, options);
    formats.set(key, found);
  }
  return found;
}

/** Intl's text with a real minus sign, which is as wide as the plus. */
function written(value: string | number, options: Intl.NumberFormatOptions): string {
  const parts = format(options).formatToParts(value as Intl.StringNumericLiteral);
  return parts.map((part) => (part.type === "minusSign" ? "−" : part.value)).join("");
}

function optionsOf(unit: Unit, currency: string): Intl.NumberFormatOptions {
  switch (unit) {
    case "money":
      return { style: "currency", currency, currencyDisplay: "narrowSymbol" };
    case "ratio":
      return { style: "percent", minimumFractionDigits: 2, maximumFractionDigits: 2 };
    case "count":
      return { maximumFractionDigits: 0 };
    case "quantity":
      return { maximumFractionDigits: 3 };
  }
}

/** The full figure. An unknown or invalid value is a dash, never 0. */
export function figure(value: Text | undefined, unit: Unit, currency: string): string {
  return value == null || !isDecimal(value) ? UNKNOWN : written(value, optionsOf(unit, currency));
}

export function count(value: number | Text | undefined): string {
  if (value == null) return UNKNOWN;
  return figure(String(value), "count", "");
}

/** For axes: "50K", "£1.2M". */
export function short(value: number, unit: Unit, currency: string): string {
  if (unit === "ratio") return written(value, { style: "percent", maximumFractionDigits: 1 });
  const options = unit === "money" ? optionsOf("money", currency) : {};
  return written(value, { ...options, minimumFractionDigits: 0, maximumFractionDigits: 1, notation: "compact" });
}

/** Money in whole units, for labels on a chart. */
export function whole(value: Text, unit: Unit, currency: string): string {
  if (value == null || !isDecimal(value)) return UNKNOWN;
  return unit === "money" ? written(value, { ...optionsOf(unit, currency), minimumFractionDigits: 0, maximumFractionDigits: 0 }) : figure(value, unit, currency);
}

export function share(part: Text, total: Text, digits = 1): string {
  const ratio = part == null || total == null ? null : divide(part, total, 6);
  return ratio === null ? UNKNOWN : written(ratio, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export interface Change {
  direction: "up" | "down" | "same";
  text: string;
}

/** The change from an earlier figure: per cent, or points for a ratio. Null: nothing to compare with. */
export function change(value: Text, before: Text, unit: Unit): Change | null {
  if (value == null || before == null) return null;
  const order = compare(value, before);
  const difference = subtract(value, before);
  if (order === null || difference === null) return null;
  const direction = order > 0 ? "up" : order < 0 ? "down" : "same";
  if (unit === "ratio") {
    const points = divide(difference, "0.01", 2);
    return points === null ? null : { direction, text: `${signed(points, { minimumFractionDigits: 2 })} pt` };
  }
  const ratio = divide(difference, magnitude(before), 6);
  if (ratio === null) return null;
  return { direction, text: signed(ratio, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 }) };
}

function signed(value: string, options: Intl.NumberFormatOptions): string {
  return written(value, { ...options, signDisplay: "exceptZero" });
}

export function bytes(value: number | null | undefined): string {
  if (value == null) return UNKNOWN;
  return `${written(value / 1_048_576, { maximumFractionDigits: 0 })} MiB`;
}
