/** The last events of the live stream, and the state of the connection. Independent of the page, which subscribes and paints. */

import { Refusal, unreachable } from "../api/http";
import type { Basis, Live, Pipeline } from "../api/shapes";
import { listen } from "../api/stream";
import { parse } from "../format/printable";

/** At most ten repaints a second, for any rate of events. */
export const REPAINT_MS = 100;
/** After this silence the connection counts as lost: the stream sends `pipeline` each second. */
export const SILENCE_MS = 20_000;
const BACKOFF_MS = [1000, 2000, 4000, 8000, 15_000];

export type Connection = { kind: "connecting" } | { kind: "open" } | { kind: "waiting"; retryAt: number; refusal: Refusal };

export interface FeedState {
  basis: Basis;
  live: Live | null;
  pipeline: Pipeline | null;
  connection: Connection;
}

export function backoff(attempt: number): number {
  return BACKOFF_MS[Math.min(attempt, BACKOFF_MS.length - 1)] ?? 15_000;
}

export class Feed {
  state: FeedState = { basis: "movement", live: null, pipeline: null, connection: { kind: "connecting" } };
  private readonly watchers = new Set<() => void>();
  private abort = new AbortController();
  private attempt = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private paint: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private paintedAt = 0;

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** Starts to listen, or restarts with another basis. It drops the old basis's figures, so that they are not taken for the new one's. */
  start(basis: Basis): void {
    this.set({ basis, live: this.state.basis === basis ? this.state.live : null });
    this.attempt = 0;
    this.connect();
  }

  stop(): void {
    this.abort.abort();
    for (const timer of [this.retry, this.paint, this.silence]) clearTimeout(timer);
    this.paint = undefined;
  }

  retryNow(): void {
    this.connect();
  }

  private connect(): void {
    this.stop();
    this.abort = new AbortController();
    if (this.state.connection.kind === "open") this.set({ connection: { kind: "connecting" } });
    const { signal } = this.abort;
    const listener = {
      opened: () => this.opened(),
      heard: () => this.listenForSilence(),
      event: (event: { name: string; text: string }) => this.take(event.name, event.text),
      ended: (refusal: Refusal) => this.wait(refusal),
    };
    this.listenForSilence();
    void listen(`./api/v1/live?basis=${this.state.basis}`, listener, signal);
  }

  private opened(): void {
    this.set({ connection: { kind: "open" } });
  }

  private listenForSilence(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.abort.abort();
      this.wait(unreachable());
    }, SILENCE_MS);
  }

  private take(name: string, text: string): void {
    this.attempt = 0;
    try {
      if (name === "live") this.set({ live: parse<Live>(text) });
      if (name === "pipeline") this.set({ pipeline: parse<Pipeline>(text) });
    } catch {
      this.abort.abort();
      this.wait(new Refusal("kassa sent invalid JSON", "", "Reload the page: its version may differ from the program's."));
    }
  }

  private wait(refusal: Refusal): void {
    clearTimeout(this.silence);
    const delay = backoff(this.attempt++);
    this.set({ connection: { kind: "waiting", retryAt: Date.now() + delay, refusal } });
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.connect(), delay);
  }

  private set(change: Partial<FeedState>): void {
    this.state = { ...this.state, ...change };
    if (this.paint !== undefined) return;
    const due = Math.max(0, this.paintedAt + REPAINT_MS - performance.now());
    this.paint = setTimeout(() => {
      this.paint = undefined;
      this.paintedAt = performance.now();
      for (const watcher of this.watchers) watcher();
    }, due);
  }
}
