/** The positions of each sink by partition, and the latest spans. */

import type { JSX } from "preact";
import type { Partition, Pipeline, Sink, Span, Text } from "../../api/shapes";
import { subtract } from "../../format/decimal";
import { UNKNOWN, count } from "../../format/figures";
import { age } from "../../format/times";
import { Panel } from "../../parts/panel";

const STATES = { current: ["✓", "positive"], behind: ["!", "warning"], stopped: ["✗", "negative"] } as const;

export function Sinks({ sinks, lost, now }: { sinks: Sink[]; lost: boolean; now: number }): JSX.Element {
  return (
    <Panel class="full" title="Sinks: age of the latest commit" footer="Each sink commits rows and positions in one step, at its own pace">
      <div class="scroll" tabIndex={0} role="region" aria-label="Sinks">
        <table>
          <thead>
            <tr>
              <th scope="col">Sink</th>
              <th scope="col">State</th>
              <th scope="col" class="number">
                Behind, records
              </th>
              <th scope="col" class="number">
                Behind, time
              </th>
              <th scope="col" class="number">
                Last commit
              </th>
            </tr>
          </thead>
          <tbody>
            {sinks.map(({ name, state, behind_records, behind_ms, committed_at }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                {lost ? (
                  <td class="muted">was {state}</td>
                ) : (
                  <td class={STATES[state][1]}>
                    <span aria-hidden="true">{STATES[state][0]}</span> {state}
                  </td>
                )}
                <td class="number">{count(behind_records)}</td>
                <td class="number">{behind_ms === null ? UNKNOWN : behind_ms === 0 ? "0 s" : age(behind_ms)}</td>
                <td class="number">{committed_at === null ? UNKNOWN : `${age(now - Date.parse(committed_at))} ago`}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

export function Partitions({ partitions }: { partitions: Partition[] }): JSX.Element {
  // Without a warehouse there is no column for it.
  const has_warehouse = partitions.some((one) => typeof one.warehouse === "string");
  return (
    <Panel class="full" title="Partitions: committed offsets of each sink" footer="Offsets, with the lag to the log's end. A dash means unknown, not 0">
      {partitions.length ? (
        <div class="scroll" tabIndex={0} role="region" aria-label="Partitions">
          <table>
            <thead>
              <tr>
                <th scope="col">Topic</th>
                {["Log start", "Log end", "Archive", "Lake", ...(has_warehouse ? ["Warehouse"] : []), "Live"].map((title) => (
                  <th key={title} scope="col" class="number">
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {partitions.map((one) => (
                <tr key={`${one.topic}/${one.partition}`}>
                  <th scope="row">
                    <code>
                      {one.topic}/{one.partition}
                    </code>
                  </th>
                  <td class="number">{count(one.log_start)}</td>
                  <td class="number">{count(one.log_end)}</td>
                  <Committed offset={one.archive} end={one.log_end} />
                  <Committed offset={one.lake} end={one.log_end} />
                  {has_warehouse && <Committed offset={one.warehouse} end={one.log_end} />}
                  <Committed offset={one.live} end={one.log_end} />
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <p class="none">No records have been read yet.</p>
      )}
    </Panel>
  );
}

function Committed({ offset, end }: { offset: Text; end: Text }): JSX.Element {
  const lag = offset !== null && end !== null ? subtract(end, offset) : null;
  const behind = lag !== null && lag !== "0";
  return (
    <td class="number">
      {count(offset)} <span class={behind ? "warning lag" : "muted lag"}>{lag === null ? "" : behind ? `−${count(lag)}` : "✓"}</span>
    </td>
  );
}

export function Spans({ spans, now }: { spans: Pipeline["spans"]; now: number }): JSX.Element {
  return (
    <Panel class="full" title="Latest spans: read = accepted + duplicates + dead letters" footer="Offsets from (included) to (excluded). A gap is the number of records that the source has lost">
      {spans.length ? (
        <div class="scroll" tabIndex={0} role="region" aria-label="Spans">
          <table>
            <thead>
              <tr>
                <th scope="col">Topic</th>
                {["From", "To", "Read", "Accepted", "Duplicates", "Dead letters", "Gap", "Committed"].map((title) => (
                  <th key={title} scope="col" class="number">
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {spans.map((span) => (
                <SpanRow key={`${span.topic}/${span.partition}/${span.from}`} span={span} now={now} />
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <p class="none">Nothing has been committed yet.</p>
      )}
    </Panel>
  );
}

function SpanRow({ span, now }: { span: Span; now: number }): JSX.Element {
  return (
    <tr>
      <th scope="row">
        <code>
          {span.topic}/{span.partition}
        </code>
      </th>
      <td class="number">{count(span.from)}</td>
      <td class="number">{count(span.to)}</td>
      <td class="number">{count(span.read)}</td>
      <td class="number">{count(span.accepted)}</td>
      <td class="number">{count(span.duplicates)}</td>
      <td class={span.dead_letters ? "number warning" : "number"}>{count(span.dead_letters)}</td>
      <td class={span.gap ? "number negative" : "number"}>{count(span.gap)}</td>
      <td class="number">{age(now - Date.parse(span.committed_at))} ago</td>
    </tr>
  );
}
