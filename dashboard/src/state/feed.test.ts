import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Feed, REPAINT_MS, SILENCE_MS, backoff } from "./feed";

let push: (text: string) => void;
let end: () => void;
let asked: string[];

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  vi.stubGlobal("fetch", (url: string, { signal }: { signal: AbortSignal }) => {
    asked.push(url);
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        push = (text) => controller.enqueue(new TextEncoder().encode(text));
        end = () => controller.close();
        signal.addEventListener("abort", () => controller.error(new Error("aborted")));
      },
    });
    return Promise.resolve(new Response(body, { status: 200 }));
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const event = (n: number): string => `event: live\ndata: {"as_of":"2026-01-01T00:00:00Z","n":${n}}\n\n`;

test("however fast figures come, watchers paint ten times a second, and the last figure wins", async () => {
  const feed = new Feed();
  let paints = 0;
  feed.watch(() => paints++);
  feed.start("movement");
  await vi.advanceTimersByTimeAsync(500);
  paints = 0;
  for (let n = 0; n < 200; n++) {
    push(event(n));
    await vi.advanceTimersByTimeAsync(10);
  }
  await vi.advanceTimersByTimeAsync(REPAINT_MS);
  expect(paints).toBeGreaterThan(10);
  expect(paints).toBeLessThanOrEqual(22);
  expect(feed.state.live).toMatchObject({ n: 199 });
  feed.stop();
});

test("a lost connection keeps its figures, says so, and is tried again ever more slowly", async () => {
  const feed = new Feed();
  feed.start("movement");
  await vi.advanceTimersByTimeAsync(0);
  push(event(1));
  await vi.advanceTimersByTimeAsync(0);
  end();
  await vi.advanceTimersByTimeAsync(0);
  expect(feed.state.connection.kind).toBe("waiting");
  expect(feed.state.live).toMatchObject({ n: 1 });
  await vi.advanceTimersByTimeAsync(backoff(0));
  expect(asked).toHaveLength(2);
  end();
  await vi.advanceTimersByTimeAsync(0);
  await vi.advanceTimersByTimeAsync(backoff(1) - 1);
  expect(asked).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(asked).toHaveLength(3);
  feed.stop();
});

test("silence is a lost connection", async () => {
  const feed = new Feed();
  feed.start("movement");
  await vi.advanceTimersByTimeAsync(0);
  push(": still here\n\n");
  await vi.advanceTimersByTimeAsync(SILENCE_MS - 1);
  expect(feed.state.connection.kind).toBe("open");
  await vi.advanceTimersByTimeAsync(1);
  expect(feed.state.connection.kind).toBe("waiting");
  feed.stop();
});

test("another basis drops the figures of this one", async () => {
  const feed = new Feed();
  feed.start("movement");
  await vi.advanceTimersByTimeAsync(0);
  push(event(1));
  await vi.advanceTimersByTimeAsync(0);
  feed.start("order");
  expect(feed.state.live).toBeNull();
  expect(asked.at(-1)).toContain("basis=order");
  feed.stop();
});

test("the wait between tries has a bound", () => {
  expect([0, 1, 2, 3, 4, 50].map(backoff)).toEqual([1000, 2000, 4000, 8000, 15_000, 15_000]);
});
