import type { JSX } from "preact";
import type { Change } from "../format/figures";

const ARROW = { up: "▲", down: "▼", same: "=" } as const;
const WORD = { up: "above", down: "below", same: "same as" } as const;

/** "▲ +4.1% yesterday by now": arrow, sign and colour have the same meaning, so that each one suffices. */
export function Delta({ change, against, neutral = false }: { change: Change | null; against: string; neutral?: boolean }): JSX.Element {
  if (!change) {
    return (
      <p class="delta muted">
        <span class="delta-change">–</span> <span>{against}: none</span>
      </p>
    );
  }
  return (
    <p class={`delta ${neutral ? "neutral" : change.direction}`}>
      <span class="delta-change">
        <span aria-hidden="true">{ARROW[change.direction]}</span>
        {change.text}
        <span class="sr"> {WORD[change.direction]}</span>
      </span>{" "}
      <span class="muted">{against}</span>
    </p>
  );
}
