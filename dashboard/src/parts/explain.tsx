/** The ⓘ of a tile: the figure's definition, time and positions, and its values as SQL, table and CSV. */

import type { JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { type Question, ask } from "../api/http";
import type { Answer } from "../api/shapes";
import { count } from "../format/figures";
import { momentIn, place } from "../format/times";
import { type Query, useQuery } from "../state/hooks";
import { basisOf, useFrame } from "./frame";
import { type Sheet, SheetTable, saveSheet } from "./table";

export interface Subject {
  title: string;
  question: Question;
  /** The time range in words. */
  window: string;
  sheet: () => Sheet;
}

export function Explain({ subject }: { subject: Subject }): JSX.Element {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const close = (): void => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    <>
      <button ref={button} type="button" class="about" aria-label={`About ${subject.title}`} aria-haspopup="dialog" onClick={() => setOpen(true)}>
        <span aria-hidden="true">i</span>
      </button>
      {open && <Explanation subject={subject} anchor={button.current} onClose={close} />}
    </>
  );
}

function Explanation({ subject, anchor, onClose }: { subject: Subject; anchor: HTMLElement | null; onClose: () => void }): JSX.Element {
  const frame = useFrame();
  const heading = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const [sheet, setSheet] = useState<Sheet | null>(null);
  const { question } = subject;
  const query = useQuery(JSON.stringify(question), (signal) => ask(question, signal));
  const definition = frame.definitions.get(question.figure);
  useEffect(() => {
    if (!dialog.current) return;
    dialog.current.showModal();
    settle(dialog.current, anchor);
  }, []);
  useEffect(() => {
    if (dialog.current) settle(dialog.current, anchor);
  }, [sheet !== null, query.answer !== null]);
  const onBackdrop = (event: MouseEvent): void => {
    if (event.target === dialog.current) onClose();
  };
  return (
    <dialog ref={dialog} class="explain" aria-labelledby={heading} onClose={onClose} onClick={onBackdrop}>
      <div class="explain-body">
        <header>
          <h2 id={heading}>{subject.title}</h2>
          <button type="button" class="about" aria-label="Close" onClick={() => dialog.current?.close()}>
            <span aria-hidden="true">×</span>
          </button>
        </header>
        <p>{definition?.definition ?? "The definition of this figure is not loaded yet."}</p>
        {definition?.formula && <code class="formula">{definition.formula}</code>}
        <Provenance subject={subject} query={query} />
        <div class="actions">
          <button type="button" class="button" aria-expanded={sheet !== null} onClick={() => setSheet(sheet ? null : subject.sheet())}>
            {sheet ? "Hide table" : "As table"}
          </button>
          <button type="button" class="button" onClick={() => saveSheet(subject.sheet())}>
            CSV
          </button>
          {definition?.sql && <CopySql sql={definition.sql} />}
        </div>
        {sheet && <SheetTable sheet={sheet} currency={frame.currency} caption={subject.title} />}
      </div>
    </dialog>
  );
}

function Provenance({ subject, query }: { subject: Subject; query: Query<Answer> }): JSX.Element {
  const frame = useFrame();
  const { answer, refusal } = query;
  return (
    <dl class="facts">
      <dt>Window</dt>
      <dd>
        {subject.window}, {place(frame.zone)}
      </dd>
      <dt>Basis</dt>
      <dd>
        {[...basisOf(frame, subject.question.figure), frame.currency].join(", ")}
      </dd>
      <dt>As of</dt>
      <dd>{answer ? momentIn(frame.zone, answer.as_of) : refusal ? "unknown" : "…"}</dd>
      <dt>Positions</dt>
      <dd>{answer ? <Positions answer={answer} /> : refusal ? refusal.message : "…"}</dd>
      {answer && answer.unconverted.length > 0 && (
        <>
          <dt>Excluded</dt>
          <dd class="warning">
            {answer.unconverted.map(({ currency, rows }) => `${count(rows)} rows in ${currency}`).join(", ")}: no rate to {frame.currency} for their day
          </dd>
        </>
      )}
    </dl>
  );
}

function Positions({ answer }: { answer: Answer }): JSX.Element {
  if (!answer.positions.length) return <>none read yet</>;
  return (
    <ul class="positions">
      {answer.positions.map(({ topic, partition, next }) => (
        <li key={`${topic}/${partition}`}>
          <code>
            {topic}/{partition}
          </code>{" "}
          up to {count(next)}
        </li>
      ))}
    </ul>
  );
}

function CopySql({ sql }: { sql: string }): JSX.Element {
  const [shown, setShown] = useState(false);
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    setShown(true);
    try {
      await navigator.clipboard.writeText(sql);
      setCopied(true);
    } catch {
      // The browser refuses the clipboard; the reader can select the text.
      setCopied(false);
    }
  };
  return (
    <>
      <button type="button" class="button" onClick={() => void copy()}>
        {copied ? "SQL copied" : "As SQL"}
      </button>
      <span class="sr" role="status">
        {copied ? "Copied" : ""}
      </span>
      {shown && (
        <pre class="sql" tabIndex={0}>
          {sql}
        </pre>
      )}
    </>
  );
}

/** Next to its button if there is space; on a small screen the style sheet places it at the bottom. */
function settle(dialog: HTMLDialogElement, anchor: HTMLElement | null): void {
  if (!anchor || matchMedia("(max-width: 640px)").matches) return;
  const edge = 12;
  const button = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = dialog;
  const left = Math.min(Math.max(edge, button.right - width), innerWidth - width - edge);
  const top = Math.max(edge, Math.min(button.bottom + 8, innerHeight - height - edge));
  dialog.style.left = `${left}px`;
  dialog.style.top = `${top}px`;
}
