import type { JSX } from "preact";
import type { Unit } from "../api/shapes";
import { type Cell, csv, download } from "../format/csv";
import { count, figure } from "../format/figures";
import { printable } from "../format/printable";

export interface Column {
  title: string;
  /** The format of the column's cells; a text is unchanged. */
  unit: Unit | "text";
}

/** A chart's table: cells are the server's own strings, formatted only for display. */
export interface Sheet {
  name: string;
  /** The figure and grouping of the first column of figures; the first column has its keys. */
  of?: { figure: string; by: string };
  columns: Column[];
  rows: Cell[][];
}

/** The number of displayed rows; a download has all of them. */
const SHOWN_MAX = 500;

export function saveSheet(sheet: Sheet): void {
  const titles = sheet.columns.map(({ title }) => title);
  download(`${sheet.name}.csv`, csv(titles, sheet.rows));
}

export function SheetTable({ sheet, currency, caption }: { sheet: Sheet; currency: string; caption: string }): JSX.Element {
  const shown = sheet.rows.slice(0, SHOWN_MAX);
  const valued = sheet.columns.findIndex(({ unit }) => unit !== "text");
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={caption}>
      <table class="sheet">
        <caption class="sr">{caption}</caption>
        <thead>
          <tr>
            {sheet.columns.map(({ title, unit }) => (
              <th scope="col" class={unit === "text" ? "" : "number"}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <tr key={String(row[0])}>
              {sheet.columns.map(({ unit }, index) => (
                <td class={unit === "text" ? "" : "number"} {...(sheet.of && index === valued ? marks(sheet.of, row[0] ?? "", row[index] ?? null) : {})}>
                  {written(row[index] ?? null, unit, currency)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {sheet.rows.length > shown.length && (
        <p class="note">
          {count(shown.length)} of {count(sheet.rows.length)} rows. The CSV has all.
        </p>
      )}
    </div>
  );
}

/** The server's exact string with the formatted one, as for every figure on the page. */
function marks({ figure: name, by }: { figure: string; by: string }, key: Cell, value: Cell): Record<string, string> {
  return { "data-figure": name, "data-by": by, "data-key": String(key), "data-value": String(value ?? "") };
}

function written(cell: Cell, unit: Unit | "text", currency: string): string {
  if (unit === "text") return cell === null ? "" : printable(String(cell));
  return figure(cell === null ? null : String(cell), unit, currency);
}
