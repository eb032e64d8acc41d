/** The live stream. It uses fetch instead of EventSource, which hides an error's status and body and has its own retry time. */

import { type Refusal, refusalOf, unreachable } from "./http";

export interface ServerEvent {
  name: string;
  text: string;
}

/** Parses server-sent events from text in arbitrary pieces. */
export function eventReader(): (piece: string) => ServerEvent[] {
  let rest = "";
  return (piece) => {
    const blocks = (rest + piece).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop() ?? "";
    return blocks.map(readBlock).filter((event): event is ServerEvent => event !== null);
  };
}

function readBlock(block: string): ServerEvent | null {
  let name = "message";
  const lines: string[] = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("data:")) lines.push(line.slice(5).replace(/^ /, ""));
  }
  return lines.length ? { name, text: lines.join("\n") } : null;
}

export interface Listener {
  opened(): void;
  event(event: ServerEvent): void;
  /** A sign of life, comments included. */
  heard(): void;
  ended(refusal: Refusal): void;
}

/** Reads until the stream ends, fails or is aborted; calls `ended` once unless aborted. */
export async function listen(url: string, listener: Listener, signal: AbortSignal): Promise<void> {
  try {
    const response = await fetch(url, { signal, headers: { accept: "text/event-stream" } });
    if (!response.ok || !response.body) {
      const refusal = await refusalOf(response);
      if (!signal.aborted) listener.ended(refusal);
      return;
    }
    listener.opened();
    await drain(response.body, listener);
  } catch {
    // The reader needs to know that the connection broke, not why.
  }
  if (!signal.aborted) listener.ended(unreachable());
}

async function drain(body: ReadableStream<Uint8Array>, listener: Listener): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const events = eventReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    listener.heard();
    for (const event of events(decoder.decode(value, { stream: true }))) listener.event(event);
  }
}
