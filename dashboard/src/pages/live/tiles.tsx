import type { JSX } from "preact";
import { useId } from "preact/hooks";
import type { Live, Tile } from "../../api/shapes";
import { change, figure } from "../../format/figures";
import { minuteOfDay, place } from "../../format/times";
import { Delta } from "../../parts/delta";
import { Explain, type Subject } from "../../parts/explain";
import { basisOf, useFrame } from "../../parts/frame";
import { Shown } from "../../parts/shown";
import { Spark } from "../../parts/spark";
import type { Words } from "./words";

const QUARTERS = 96;

const TITLES: Record<string, string> = {
  net_sales: "Net sales",
  orders: "Orders",
  aov: "Average order value",
  units: "Units",
  active_customers: "Active customers",
  conversion: "Conversion",
};

export function Tiles({ live, words }: { live: Live; words: Words }): JSX.Element {
  const longest = Math.max(...live.tiles.map(({ value, unit }) => figure(value, unit, live.shop.currency).length));
  return (
    <div class="tiles" style={{ "--characters": String(Math.max(6, longest)) }}>
      {live.tiles.map((tile) => (
        <FigureTile key={tile.figure} tile={tile} live={live} words={words} />
      ))}
    </div>
  );
}

export function BlankTiles(): JSX.Element {
  return (
    <div class="tiles" aria-hidden="true">
      {Object.entries(TITLES).map(([name, title]) => (
        <section class="panel tile" key={name}>
          <header class="panel-head">
            <h2>{title}</h2>
          </header>
          <p class="figure">
            <span class="bone" />
          </p>
          <div class="deltas">
            <p class="delta">
              <span class="bone" />
            </p>
            <p class="delta">
              <span class="bone" />
            </p>
          </div>
          <div class="bone spark" />
          <footer class="panel-foot">
            <span class="bone" />
          </footer>
        </section>
      ))}
    </div>
  );
}

function FigureTile({ tile, live, words }: { tile: Tile; live: Live; words: Words }): JSX.Element {
  const frame = useFrame();
  const heading = useId();
  const title = TITLES[tile.figure] ?? frame.definitions.get(tile.figure)?.title ?? tile.figure;
  return (
    <section class="panel tile" aria-labelledby={heading}>
      <header class="panel-head">
        <h2 id={heading}>{title}</h2>
        <Explain subject={subjectOf(tile, title, live, words)} />
      </header>
      <p class="figure">
        <Shown name={tile.figure} value={tile.value} unit={tile.unit} />
      </p>
      <div class="deltas">
        <Delta change={change(tile.value, tile.yesterday, tile.unit)} against={words.againstYesterday} />
        <Delta change={change(tile.value, tile.last_week, tile.unit)} against={words.againstLastWeek} />
      </div>
      <Spark values={tile.today} ghost={tile.ghost} length={QUARTERS} open />
      <footer class="panel-foot">
        <p>
          {words.window}, {place(frame.zone)}
        </p>
        <p>{[...basisOf(frame, tile.figure), ...(tile.unit === "money" ? [frame.currency] : [])].join(", ") || "\u00a0"}</p>
      </footer>
    </section>
  );
}

function subjectOf(tile: Tile, title: string, live: Live, words: Words): Subject {
  const day = live.shop.today ?? undefined;
  return {
    title,
    question: { figure: tile.figure, from: day, to: day, basis: live.basis },
    window: words.window,
    sheet: () => ({
      name: `${tile.figure}-${day}`,
      columns: [
        { title: "Quarter hour from", unit: "text" },
        { title: words.now, unit: tile.unit },
        { title: words.lastWeek, unit: tile.unit },
      ],
      rows: Array.from({ length: Math.max(tile.today.length, tile.ghost.length) }, (_, index) => [
        minuteOfDay(index * 15),
        tile.today[index] ?? null,
        tile.ghost[index] ?? null,
      ]),
    }),
  };
}
