/** The state of the records: counts, commits, dead letters, proof. */

import type { JSX } from "preact";
import { pipeline } from "../../api/http";
import { Refused, Skeleton } from "../../parts/states";
import type { FeedState } from "../../state/feed";
import { useQuery } from "../../state/hooks";
import { Account, ProofPanel } from "./account";
import { DeadLetters } from "./dead-letters";
import { Partitions, Sinks, Spans } from "./progress";

export function DataPage({ state, now }: { state: FeedState; now: number }): JSX.Element {
  const asked = useQuery(state.pipeline ? null : "pipeline", pipeline);
  const known = state.pipeline ?? asked.answer;
  if (!known && asked.refusal) return <Refused refusal={asked.refusal} retry={asked.retry} />;
  if (!known) return <Loading />;
  const lost = state.connection.kind === "waiting";
  return (
    <div class={lost ? "grid stale" : "grid"}>
      <Account pipeline={known} />
      <ProofPanel proof={known.proof} now={now} />
      <Sinks sinks={known.sinks} lost={lost} now={now} />
      <DeadLetters letters={known.dead_letters} />
      <Partitions partitions={known.partitions} />
      <Spans spans={known.spans} now={now} />
    </div>
  );
}

function Loading(): JSX.Element {
  return (
    <div class="grid" role="status" aria-label="Loading">
      <section class="panel wide">
        <Skeleton height={132} />
      </section>
      <section class="panel side">
        <Skeleton height={132} />
      </section>
      <section class="panel full">
        <Skeleton height={320} />
      </section>
    </div>
  );
}
