import { expect, test } from "vitest";
import { Refusal, unreachable } from "../api/http";
import type { Live, Sink } from "../api/shapes";
import { wordsOf } from "../pages/live/words";
import type { FeedState } from "./feed";
import { ageOf, isToday, phaseOf } from "./phase";

const NOW = Date.parse("2026-11-20T14:31:07Z");

function live(change: Partial<Live> = {}, today = "2026-11-20"): Live {
  return {
    as_of: "2026-11-20T14:31:06.800Z", event_time: "2026-11-20T14:31:06Z", shop: { name: "S", time_zone: "Europe/London", currency: "GBP", today, minute: 871 },
    basis: "movement", sinks: [], dead_letters_today: 0, rate_per_s: 0, records: { read: 1, accepted: 1, duplicates: 0, dead_letters: 0 }, proof: null, tiles: [],
    day: { today: [], last_week: [], last_week_total: null }, funnel: [], orders_by_hour: { today: [], last_week: [] }, by_category: [], by_country: [], top_products: [], ...change,
  };
}

const sink = (name: string, state: Sink["state"], behind_ms: number | null): Sink => ({ name, state, behind_ms, behind_records: 1, committed_at: null, commit_us: null, commit_us_max: null });
const state = (known: Live | null, connection: FeedState["connection"] = { kind: "open" }): FeedState => ({ basis: "movement", live: known, pipeline: null, connection });
const waiting = (refusal: Refusal): FeedState["connection"] => ({ kind: "waiting", retryAt: 0, refusal });

test("before the first figures the page loads, also while kassa is away", () => {
  expect(phaseOf(state(null)).kind).toBe("loading");
  expect(phaseOf(state(null, waiting(unreachable()))).kind).toBe("loading");
});

test("an answer that is a refusal is an error", () => expect(phaseOf(state(null, waiting(new Refusal("no lake", "lake_unreadable", "")))).kind).toBe("error"));

test("no event time is no records yet, and not a day of zeroes", () => expect(phaseOf(state(live({ event_time: null }))).kind).toBe("empty"));

test("figures are stale when the live sink is late or stopped, or the connection lost; a late lake is partial only", () => {
  const shown = (known: Live, connection?: FeedState["connection"]): unknown => {
    const phase = phaseOf(state(known, connection));
    return phase.kind === "shown" && [phase.stale, phase.partial.map(({ name }) => name)];
  };
  expect(shown(live())).toEqual([false, []]);
  expect(shown(live({ sinks: [sink("live", "behind", 77_000)] }))).toEqual([true, ["live"]]);
  expect(shown(live({ sinks: [sink("live", "stopped", null)] }))).toEqual([true, ["live"]]);
  expect(shown(live({ sinks: [sink("live", "behind", 200)] }))).toEqual([false, ["live"]]);
  expect(shown(live({ sinks: [sink("lake", "behind", 77_000)] }))).toEqual([false, ["lake"]]);
  expect(shown(live(), waiting(unreachable()))).toEqual([true, []]);
});

test("the age is since the server last vouched, and never negative", () => {
  expect(ageOf(state(live()), NOW)).toBe(200);
  expect(ageOf(state(null), NOW)).toBeNull();
  expect(ageOf(state(live({ as_of: "2026-11-20T15:00:00Z" })), NOW)).toBe(0);
  expect(ageOf(state(live({ sinks: [sink("live", "behind", 77_000)] })), NOW)).toBe(77_200);
});

test("only the day of the shop's clock is called today", () => {
  expect(isToday(live(), NOW)).toBe(true);
  expect(wordsOf(live(), NOW)).toMatchObject({ day: "Today, Fri 20 Nov · London", againstYesterday: "yesterday by now", againstLastWeek: "last Fri by now", open: true });
  const past = wordsOf(live({}, "2011-12-09"), NOW);
  expect(past).toMatchObject({ day: "Fri 9 Dec 2011 · last day with records", now: "Fri 9 Dec", againstLastWeek: "2 Dec by 14:31", open: false });
  expect(Object.values(past).join(" ")).not.toMatch(/today|yesterday/i);
});

test("a day that still grows is provisional though it is not today", () => expect(wordsOf(live({ rate_per_s: 1980 }, "2026-01-12"), NOW).open).toBe(true));
