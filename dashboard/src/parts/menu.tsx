import type { ComponentChildren, JSX } from "preact";
import { useId, useRef } from "preact/hooks";

export interface Choice {
  title: string;
  href: string;
  current?: boolean;
}

/** The focus when a list opens: the current choice. */
const entry = (list: HTMLElement): HTMLElement | null => list.querySelector("[aria-current]") ?? list.querySelector("a");

/** A button that opens a list of links: each choice is a view with its own URL. */
export function Menu({ label, name, choices, children }: { label: string; name: string; choices: Choice[]; children?: ComponentChildren }): JSX.Element {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const onToggle = (event: Event): void => {
    if ((event as ToggleEvent).newState !== "open" || !list.current || !button.current) return;
    const from = button.current.getBoundingClientRect();
    const left = Math.min(Math.max(8, from.right - list.current.offsetWidth), Math.max(8, innerWidth - list.current.offsetWidth - 8));
    list.current.style.left = `${left}px`;
    list.current.style.top = `${from.bottom + 4}px`;
    if (!list.current.contains(document.activeElement)) entry(list.current)?.focus();
  };
  // On the button too: the browser's event for the opened list is late, and a fast key may come first.
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !list.current) return;
    event.preventDefault();
    if (!list.current.matches(":popover-open")) return list.current.showPopover();
    const links = [...list.current.querySelectorAll<HTMLElement>("a, button, input")];
    const from = list.current.contains(document.activeElement) ? document.activeElement : entry(list.current);
    links[(links.indexOf(from as HTMLElement) + step + links.length) % links.length]?.focus();
  };
  const hide = (): void => list.current?.hidePopover();
  return (
    <>
      <button ref={button} type="button" class="chip" popovertarget={id} aria-label={`${name}: ${label}`} aria-haspopup="true" onKeyDown={onKeyDown}>
        <span class="chip-label">{label}</span>
        <span aria-hidden="true" class="caret" />
      </button>
      <div ref={list} id={id} popover="auto" class="menu" onToggle={onToggle} onKeyDown={onKeyDown}>
        {choices.map(({ title, href, current }) => (
          <a key={title} href={href} aria-current={current ? "true" : undefined} onClick={hide}>
            {title}
          </a>
        ))}
        {children}
      </div>
    </>
  );
}
