/** Every record accounted for: the counts by fate, and the last proof. */

import type { JSX } from "preact";
import type { Pipeline } from "../../api/shapes";
import { bytes, count } from "../../format/figures";
import { age, momentIn } from "../../format/times";
import { useFrame } from "../../parts/frame";
import { Panel } from "../../parts/panel";
import { SheetTable } from "../../parts/table";

export function Account({ pipeline }: { pipeline: Pipeline }): JSX.Element {
  const { read, accepted, duplicates, dead_letters: letters } = pipeline.records;
  const known = read !== null && accepted !== null && duplicates !== null && letters !== null;
  const missing = known ? read - accepted - duplicates - letters : null;
  const parts: [string, string, number | null, string][] = [
    ["", "read", read, ""],
    ["=", "accepted", accepted, ""],
    ["+", "duplicates", duplicates, ""],
    ["+", "dead letters", letters, letters ? "warning" : ""],
  ];
  return (
    <Panel class="wide" title="Every record: accepted, duplicate or dead letter" footer={`${count(pipeline.rate_per_s)} records per second · ${bytes(pipeline.memory_bytes)} of memory`}>
      <dl class="account">
        {parts.map(([sign, name, value, kind]) => (
          <div key={name} class="account-part">
            {sign && <span class="account-sign">{sign}</span>}
            <div>
              <dd class={`account-value ${kind}`} data-count={name} data-value={value ?? ""}>
                {count(value)}
              </dd>
              <dt>{name}</dt>
            </div>
          </div>
        ))}
      </dl>
      {missing !== null && missing !== 0 && <p class="negative">{count(missing)} records of those read are not accounted for. Run kassa prove.</p>}
    </Panel>
  );
}

export function ProofPanel({ proof, now }: { proof: Pipeline["proof"]; now: number }): JSX.Element {
  const { zone } = useFrame();
  if (!proof) {
    return (
      <Panel class="side" title="Last proof" footer="kassa prove recounts every sink from its contents">
        <p class="proof-word muted">Not proven yet</p>
        <p>
          Run <code>kassa prove</code>.
        </p>
      </Panel>
    );
  }
  return (
    <Panel class="side" title="Last proof" footer={`${momentIn(zone, proof.at)}, every sink recounted from its contents`}>
      <p class={`proof-word ${proof.ok ? "positive" : "negative"}`}>
        <span aria-hidden="true">{proof.ok ? "✓" : "✗"}</span> {proof.ok ? "Every record accounted for" : `${count(proof.findings.length)} finding${proof.findings.length === 1 ? "" : "s"}`}
      </p>
      <p class="muted">{age(now - Date.parse(proof.at))} ago</p>
      {proof.findings.length > 0 && (
        <SheetTable
          currency=""
          caption="Findings of the last proof"
          sheet={{
            name: "findings",
            columns: ["Kind", "Where", "Offsets", "Detail"].map((title) => ({ title, unit: "text" as const })),
            rows: proof.findings.map((one) => [one.kind, `${one.sink} ${one.table} ${one.topic}/${one.partition}`, `${one.from}–${one.to}`, one.detail]),
          }}
        />
      )}
    </Panel>
  );
}
