import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Pipeline, Reason } from "../../api/shapes";
import { count } from "../../format/figures";
import { Bar } from "../../parts/bars";
import { Panel } from "../../parts/panel";

/** The number of reasons that are shown at first. */
const SHOWN = 10;

export function DeadLetters({ letters }: { letters: Pipeline["dead_letters"] }): JSX.Element {
  const [open, setOpen] = useState(false);
  const all = letters.by_reason.map((one) => String(one.count));
  const shown = open ? letters.by_reason : letters.by_reason.slice(0, SHOWN);
  return (
    <Panel
      class="full"
      title={`Dead letters by reason: ${count(letters.total)} in all, ${count(letters.today)} today`}
      footer="kassa keeps their original bytes: fix the mapping, then run kassa dead-letters replay --dry-run"
    >
      {letters.by_reason.length ? (
        <>
          <ul class="reasons">
            {shown.map((reason) => (
              <ReasonRow key={`${reason.stream} ${reason.reason}`} reason={reason} all={all} />
            ))}
          </ul>
          {all.length > SHOWN && (
            <button type="button" class="button more" aria-expanded={open} onClick={() => setOpen(!open)}>
              {open ? `Only the first ${SHOWN}` : `All ${count(all.length)}`}
            </button>
          )}
        </>
      ) : (
        <p class="none">{letters.total === null ? "Unknown." : "None. Every record was accepted or a duplicate."}</p>
      )}
    </Panel>
  );
}

function ReasonRow({ reason, all }: { reason: Reason; all: string[] }): JSX.Element {
  const { example } = reason;
  return (
    <li>
      <details>
        <summary>
          <code class="reason-code">{reason.reason}</code>
          <span class="muted reason-stream">{reason.stream}</span>
          <Bar value={String(reason.count)} all={all} colour="var(--warning)" thin />
          <strong class="number">{count(reason.count)}</strong>
        </summary>
        <p>{reason.meaning}</p>
        {example && (
          <>
            <dl class="facts">
              <dt>Example</dt>
              <dd>
                <code>
                  {example.topic}/{example.partition} offset {example.offset}
                </code>
              </dd>
              <dt>Field</dt>
              <dd>{example.field ? <code>{example.field}</code> : "the whole record"}</dd>
              <dt>Detail</dt>
              <dd>{example.detail}</dd>
            </dl>
            <pre class="sql" tabIndex={0} aria-label="The record's bytes as text">
              {example.value}
            </pre>
          </>
        )}
      </details>
    </li>
  );
}
