/** The inputs of components: the feed, the route, the clock, an answer of the API. */

import { useEffect, useRef, useState } from "preact/hooks";
import { Refusal } from "../api/http";
import { Feed, type FeedState } from "./feed";
import { type Route, readRoute } from "./route";

export const feed = new Feed();

export function useFeed(): FeedState {
  const [state, setState] = useState(feed.state);
  useEffect(() => feed.watch(() => setState(feed.state)), []);
  return state;
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => readRoute(location.hash));
  useEffect(() => {
    const follow = (): void => setRoute(readRoute(location.hash));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}

/** The current time, updated at this interval in milliseconds. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

export interface Query<T> {
  /** The last good answer to this query; null if there is none yet. */
  answer: T | null;
  refusal: Refusal | null;
  retry: () => void;
}

/** Queries when `key` changes, and again silently every `refreshMs`. With a null key, it does nothing. */
export function useQuery<T>(key: string | null, ask: (signal: AbortSignal) => Promise<T>, refreshMs?: number): Query<T> {
  const [held, setHeld] = useState<{ key: string; answer: T | null; refusal: Refusal | null } | null>(null);
  const [round, setRound] = useState(0);
  const asking = useRef(ask);
  asking.current = ask;
  useEffect(() => {
    if (key === null) return;
    const abort = new AbortController();
    asking.current(abort.signal).then(
      (answer) => abort.signal.aborted || setHeld({ key, answer, refusal: null }),
      (cause: unknown) => abort.signal.aborted || setHeld((last) => ({ key, answer: last?.key === key ? last.answer : null, refusal: refusalFrom(cause) })),
    );
    return () => abort.abort();
  }, [key, round]);
  useEffect(() => {
    if (!refreshMs || key === null) return;
    const timer = setInterval(() => document.hidden || setRound((n) => n + 1), refreshMs);
    return () => clearInterval(timer);
  }, [key, refreshMs]);
  const current = held?.key === key ? held : null;
  return { answer: current?.answer ?? null, refusal: current?.refusal ?? null, retry: () => setRound((n) => n + 1) };
}

function refusalFrom(cause: unknown): Refusal {
  return cause instanceof Refusal ? cause : new Refusal("The answer could not be read", "", cause instanceof Error ? cause.message : "");
}
