import type { JSX } from "preact";
import type { Live } from "../../api/shapes";
import { NoRecords, Refused, Skeleton } from "../../parts/states";
import { feed } from "../../state/hooks";
import type { Phase } from "../../state/phase";
import { Day } from "./day";
import { Funnel } from "./funnel";
import { Hours } from "./hours";
import { Categories, Countries, Products } from "./rankings";
import { BlankTiles, Tiles } from "./tiles";
import { Trust } from "./trust";
import { wordsOf } from "./words";

export function LivePage({ phase, now }: { phase: Phase; now: number }): JSX.Element {
  switch (phase.kind) {
    case "loading":
      return <Loading />;
    case "error":
      return <Refused refusal={phase.refusal} retry={() => feed.retryNow()} />;
    case "empty":
      return <NoRecords />;
    case "shown":
      return <Board live={phase.live} stale={phase.stale} now={now} />;
  }
}

function Board({ live, stale, now }: { live: Live; stale: boolean; now: number }): JSX.Element {
  const words = wordsOf(live, now);
  const part = { live, words };
  return (
    <>
      <Trust live={live} stale={stale} now={now} />
      <div class={stale ? "board stale" : "board"}>
        <Tiles {...part} />
        <div class="grid">
          <Day {...part} />
          <Funnel {...part} />
          <Hours {...part} />
          <Categories {...part} />
          <Countries {...part} />
          <Products {...part} />
        </div>
      </div>
    </>
  );
}

function Loading(): JSX.Element {
  return (
    <div role="status" aria-label="Loading figures">
      <div class="trust">
        <span class="bone" />
      </div>
      <BlankTiles />
      <div class="grid" aria-hidden="true">
        <section class="panel wide">
          <Skeleton height={330} />
        </section>
        <section class="panel side">
          <Skeleton height={330} />
        </section>
      </div>
    </div>
  );
}
