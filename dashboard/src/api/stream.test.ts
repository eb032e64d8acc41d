import { expect, test } from "vitest";
import { eventReader } from "./stream";

test("events are complete for any split of the text", () => {
  const text = 'event: live\ndata: {"a":1}\n\n: keep-alive\n\nevent: pipeline\r\ndata: {"b":\r\ndata: 2}\r\n\r\n';
  const whole = [
    { name: "live", text: '{"a":1}' },
    { name: "pipeline", text: '{"b":\n2}' },
  ];
  for (let size = 1; size <= text.length; size++) {
    const read = eventReader();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...read(text.slice(at, at + size)));
    expect(events, `pieces of ${size}`).toEqual(whole);
  }
});

test("a comment is not an event, and half an event is not one yet", () => {
  const read = eventReader();
  expect(read(": ping\n\n")).toEqual([]);
  expect(read("data: 1\n")).toEqual([]);
  expect(read("\n")).toEqual([{ name: "message", text: "1" }]);
});
