/** CSV by RFC 4180. A spreadsheet opens it as numbers and texts, never as a formula. */

import { isDecimal } from "./decimal";

export type Cell = string | number | null;

/** A text that a spreadsheet would run gets an apostrophe; a number, even a negative one, stays a number. */
export function cell(value: Cell): string {
  if (value === null) return "";
  const text = String(value);
  const safe = /^[=+\-@\t\r]/.test(text) && !isNumber(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
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
