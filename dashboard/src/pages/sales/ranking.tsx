/** The main chart over members: categories, products, countries. Bars start at zero; negative ones extend to the left. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Row, Text, Unit } from "../../api/shapes";
import { change, count, share } from "../../format/figures";
import { printable } from "../../format/printable";
import { Bar } from "../../parts/bars";
import { useFrame } from "../../parts/frame";
import { Shown, memberName } from "../../parts/shown";

const SHOWN = 15;
/** Means of money: their parts do not add up to the total, so that a share has no meaning. All other sums of money and units do. */
const MEANS = ["aov", "customer_value"];

interface RankingProps {
  figure: string;
  by: string;
  unit: Unit;
  rows: Row[];
  before: Row[];
  total: Text;
  /** A rise or fall is neither good nor bad. */
  neutral: boolean;
  hrefOf: ((key: string) => string) | undefined;
}

export function Ranking({ figure, by, unit, rows, before, total, neutral, hrefOf }: RankingProps): JSX.Element {
  const frame = useFrame();
  const [all, setAll] = useState(false);
  const shown = all ? rows.slice(0, 500) : rows.slice(0, SHOWN);
  const values = shown.map(({ value }) => value);
  const earlier = new Map(before.map(({ key, value }) => [key, value]));
  const shares = (unit === "money" || unit === "quantity") && !MEANS.includes(figure);
  return (
    <>
      <ul class={`ranking sales-ranking${shares ? "" : " no-share"}`}>
        {shown.map(({ key, label, value }) => {
          const against = before.length ? change(value, earlier.get(key) ?? null, unit) : null;
          return (
            <li key={key}>
              <span class="ranking-name">
                {hrefOf && key ? <a href={hrefOf(key)}>{memberName(label)}</a> : memberName(label)}
                {label !== printable(key) && <span class="code"> {printable(key)}</span>}
              </span>
              <Bar value={value} all={values} colour={by === "category" ? frame.colourOf(key) : "var(--accent)"} />
              <strong class="number">
                <Shown name={figure} by={by} item={key} value={value} unit={unit} />
              </strong>
              {shares && <span class="number muted">{share(value, total)}</span>}
              <span class={`number ranking-change ${neutral || !against || against.direction === "same" ? "muted" : against.direction === "up" ? "positive" : "negative"}`}>{against ? against.text : ""}</span>
            </li>
          );
        })}
      </ul>
      {rows.length > SHOWN && (
        <button type="button" class="button more" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? `Only the first ${SHOWN}` : `All ${count(rows.length)}`}
        </button>
      )}
    </>
  );
}
