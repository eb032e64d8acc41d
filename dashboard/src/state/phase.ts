/** The state of the page, derived in one place. */

import type { Refusal } from "../api/http";
import type { Live, Sink } from "../api/shapes";
import { dayIn } from "../format/times";
import type { FeedState } from "./feed";

/** Live figures that are further behind than this are shown as old. */
export const STALE_MS = 10_000;

export type Phase =
  | { kind: "loading" }
  | { kind: "error"; refusal: Refusal }
  | { kind: "empty"; live: Live }
  | { kind: "shown"; live: Live; stale: boolean; partial: Sink[] };

export function phaseOf({ live, connection }: FeedState): Phase {
  if (!live) {
    const refused = connection.kind === "waiting" && !connection.refusal.unreachable;
    return refused ? { kind: "error", refusal: connection.refusal } : { kind: "loading" };
  }
  if (live.event_time === null || live.shop.today === null) return { kind: "empty", live };
  const sink = live.sinks.find(({ name }) => name === "live");
  const late = sink !== undefined && (sink.state === "stopped" || (sink.behind_ms ?? 0) > STALE_MS);
  const lost = connection.kind === "waiting";
  return { kind: "shown", live, stale: late || lost, partial: live.sinks.filter(({ state }) => state !== "current") };
}

/** Milliseconds since the server last confirmed the figures, by its clock, plus their delay at that time. */
export function ageOf({ live, pipeline }: FeedState, now: number): number | null {
  const known = [live, pipeline].filter((one) => one !== null).sort((a, b) => Date.parse(b.as_of) - Date.parse(a.as_of))[0];
  if (!known) return null;
  const behind = known.sinks.find(({ name }) => name === "live")?.behind_ms ?? 0;
  return Math.max(0, now - Date.parse(known.as_of)) + behind;
}

/** Whether the shop's last day with records is its current day; otherwise nothing may be called "today". */
export function isToday(live: Live, now: number): boolean {
  return live.shop.today === dayIn(live.shop.time_zone, now);
}
