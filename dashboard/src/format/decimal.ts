/** Exact decimals on strings, so that no amount ever passes through a float. */

interface Decimal {
  units: bigint;
  scale: number;
}

const SHAPE = /^([+-]?)(\d+)(?:\.(\d*))?$/;

function read(text: string): Decimal | null {
  const match = SHAPE.exec(text.trim());
  if (!match) return null;
  const [, sign, whole = "0", fraction = ""] = match;
  const magnitude = BigInt(whole + fraction);
  return { units: sign === "-" ? -magnitude : magnitude, scale: fraction.length };
}

function write({ units, scale }: Decimal): string {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  const fraction = scale ? `.${digits.slice(digits.length - scale)}` : "";
  return `${units < 0n ? "-" : ""}${whole}${fraction}`;
}

function at(value: Decimal, scale: number): bigint {
  return value.units * 10n ** BigInt(scale - value.scale);
}

function pair(a: string, b: string): [bigint, bigint, number] | null {
  const left = read(a);
  const right = read(b);
  if (!left || !right) return null;
  const scale = Math.max(left.scale, right.scale);
  return [at(left, scale), at(right, scale), scale];
}

export function isDecimal(text: string): boolean {
  return read(text) !== null;
}

/** -1, 0 or 1; null if either is not a decimal. */
export function compare(a: string, b: string): number | null {
  const both = pair(a, b);
  return both && (both[0] < both[1] ? -1 : both[0] > both[1] ? 1 : 0);
}

export function add(a: string, b: string): string | null {
  const both = pair(a, b);
  return both && write({ units: both[0] + both[1], scale: both[2] });
}

export function subtract(a: string, b: string): string | null {
  const both = pair(a, b);
  return both && write({ units: both[0] - both[1], scale: both[2] });
}

/** a ÷ b to this many digits, half away from zero; null if b is zero. */
export function divide(a: string, b: string, digits: number): string | null {
  const both = pair(a, b);
  if (!both || both[1] === 0n) return null;
  const [top, bottom] = both;
  const negative = top < 0n !== bottom < 0n;
  const n = (top < 0n ? -top : top) * 10n ** BigInt(digits);
  const d = bottom < 0n ? -bottom : bottom;
  const rounded = (2n * n + d) / (2n * d);
  return write({ units: negative ? -rounded : rounded, scale: digits });
}

export function magnitude(text: string): string {
  return text.trim().replace(/^[+-]/, "");
}

/** Only for the geometry of a chart, never for a displayed figure. */
export function geometry(text: string | null | undefined): number | null {
  return text == null || !isDecimal(text) ? null : Number(text);
}
