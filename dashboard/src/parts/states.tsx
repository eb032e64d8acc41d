import type { ComponentChildren, JSX } from "preact";
import type { Refusal } from "../api/http";
import type { Connection } from "../state/feed";
import { feed, useNow } from "../state/hooks";

export function Skeleton({ lines = 3, height }: { lines?: number; height?: number }): JSX.Element {
  if (height) return <div class="bone" style={{ height: `${height}px` }} aria-hidden="true" />;
  return (
    <div class="bones" aria-hidden="true">
      {Array.from({ length: lines }, (_, index) => (
        <div class="bone" key={index} style={{ width: `${100 - ((index * 17) % 45)}%` }} />
      ))}
    </div>
  );
}

/** A full-width notice instead of content that cannot be shown. */
export function Notice({ title, children, kind = "plain" }: { title: string; children?: ComponentChildren; kind?: "plain" | "error" }): JSX.Element {
  return (
    <div class={`notice ${kind}`} role={kind === "error" ? "alert" : "status"}>
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** Makes a sentence of an error, which is a lowercase fragment; the full stop is added later. */
function sentence(fragment: string): string {
  return (fragment.charAt(0).toUpperCase() + fragment.slice(1)).replace(/[.!]$/, "");
}

export function Refused({ refusal, retry }: { refusal: Refusal; retry?: () => void }): JSX.Element {
  return (
    <Notice title={`${sentence(refusal.message)}.`} kind="error">
      {refusal.hint && <p>{sentence(refusal.hint)}.</p>}
      {refusal.code && (
        <p class="muted">
          Code <code>{refusal.code}</code>, explained in <code>docs/errors/{refusal.code}.md</code>
        </p>
      )}
      {retry && (
        <button type="button" class="button" onClick={retry}>
          Try again
        </button>
      )}
    </Notice>
  );
}

export function NoRecords(): JSX.Element {
  return (
    <Notice title="No records yet">
      <p>Figures appear here after the first order. Send records in one of these ways:</p>
      <dl class="commands">
        <dt>A synthetic shop, to look around</dt>
        <dd>
          <code>kassa demo</code>
        </dd>
        <dt>Your own export, while kassa is stopped</dt>
        <dd>
          <code>kassa replay -c kassa.toml --stream orders orders.csv</code>
        </dd>
        <dt>Your shop, live</dt>
        <dd>
          <code>
            curl -d @order.json {location.origin}/v1/orders
          </code>
        </dd>
      </dl>
    </Notice>
  );
}

/** Shows that the connection is lost, that the figures are old, and the time of the next attempt. A refusal before any figures fills the page. */
export function Lost({ connection, asOf }: { connection: Connection; asOf: string | null }): JSX.Element | null {
  const now = useNow(500);
  if (connection.kind !== "waiting" || (asOf === null && !connection.refusal.unreachable)) return null;
  const seconds = Math.max(0, Math.ceil((connection.retryAt - now) / 1000));
  return (
    <div class="banner" role="alert">
      <p>
        <strong>{connection.refusal.unreachable ? "Connection lost" : sentence(connection.refusal.message)}.</strong>{" "}
        {asOf ? `These are the figures as of ${asOf}.` : "No figures have arrived yet."} {connection.refusal.hint && `${sentence(connection.refusal.hint)}.`}
      </p>
      <p class="banner-side">
        <span aria-live="off">{seconds > 0 ? `Next attempt in ${seconds} s` : "Connecting now"}</span>
        <button type="button" class="button" onClick={() => feed.retryNow()}>
          Retry now
        </button>
      </p>
    </div>
  );
}
