/** The status strip: sinks, dead letters and proof. Each part links to the Data page. */

import type { ComponentChildren, JSX } from "preact";
import type { Live, Sink } from "../../api/shapes";
import { count } from "../../format/figures";
import { age, timeIn } from "../../format/times";
import { useRoute } from "../../state/hooks";
import { to } from "../../state/route";

export function Trust({ live, stale, now }: { live: Live; stale: boolean; now: number }): JSX.Element {
  const route = useRoute();
  const data = to(route, { page: "data" });
  const part = (kind: string, children: ComponentChildren): JSX.Element => (
    <a href={data} class={kind}>
      {children}
    </a>
  );
  const letters = live.dead_letters_today;
  return (
    <nav class="trust" aria-label="Can these figures be trusted">
      {part(
        "",
        <>
          As of <strong>{timeIn(live.shop.time_zone, live.as_of)}</strong>
        </>,
      )}
      {part(live.sinks.every(({ state }) => state === "current") ? "" : "warning", <Sinks sinks={live.sinks} stale={stale} />)}
      {part(letters ? "warning" : "", letters === null ? "Dead letters unknown" : `${letters === 0 ? "No" : count(letters)} dead letter${letters === 1 ? "" : "s"} today`)}
      {part(live.proof && !live.proof.ok ? "negative" : "", <Proof proof={live.proof} now={now} />)}
    </nav>
  );
}

/** Old states are described in the past tense. */
function Sinks({ sinks, stale }: { sinks: Sink[]; stale: boolean }): JSX.Element {
  if (!sinks.length) return <>Sinks unknown</>;
  const late = sinks.filter(({ state }) => state !== "current");
  if (!late.length) {
    return (
      <>
        {sentence(sinks.map(({ name }) => name))} {stale ? "were current then" : <strong>current</strong>}
      </>
    );
  }
  return <strong>{sentence(late.map(({ name, state, behind_ms }) => `${name} ${state === "stopped" ? "stopped" : `${behind_ms === null ? "" : `${age(behind_ms)} `}behind`}`))}</strong>;
}

function Proof({ proof, now }: { proof: Live["proof"]; now: number }): JSX.Element {
  if (!proof) return <>Not proven yet</>;
  const ago = `${age(now - Date.parse(proof.at))} ago`;
  return proof.ok ? (
    <>
      Every record accounted for, <strong>proven {ago}</strong>
    </>
  ) : (
    <strong>The proof failed {ago}</strong>
  );
}

function sentence(names: string[]): string {
  const text = names.join(", ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
