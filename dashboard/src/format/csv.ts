/** CSV by RFC 4180. A spreadsheet opens it as numbers and texts, never as a formula. */

import { isDecimal } from "./decimal";
import { printable } from "./printable";

export type Cell = string | number | null;

/** A text that a spreadsheet would run gets an apostrophe; a number, even a negative one, stays a number. */
export function cell(value: Cell): string {
  if (value === null) return "";
  const given = String(value);
  const formula = /^(\s*[=+\-@＝＋－＠]|[\t\r\n])/.test(given) && !isNumber(given);
  const safe = formula ? `'${printable(given)}` : printable(given);
  return /[",\t\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function isNumber(text: string): boolean {
  return !text.startsWith("+") && isDecimal(text) && text === text.trim();
}

export function csv(head: string[], rows: Cell[][]): string {
  return [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

export function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
