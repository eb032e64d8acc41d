import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";
import { Explain, type Subject } from "./explain";

interface PanelProps {
  title: string;
  subject?: Subject | undefined;
  footer?: string;
  class?: string;
  actions?: ComponentChildren;
  children: ComponentChildren;
}

/** A tile: a title, the chart, a footer, and the ⓘ. */
export function Panel({ title, subject, footer, class: extra = "", actions, children }: PanelProps): JSX.Element {
  const heading = useId();
  return (
    <section class={`panel ${extra}`} aria-labelledby={heading}>
      <header class="panel-head">
        <h2 id={heading}>{title}</h2>
        <div class="panel-actions">
          {actions}
          {subject && <Explain subject={subject} />}
        </div>
      </header>
      <div class="panel-body">{children}</div>
      {footer && <footer class="panel-foot">{footer}</footer>}
    </section>
  );
}
