import type { JSX } from "preact";
import type { Live } from "../../api/shapes";
import { share } from "../../format/figures";
import { Bar } from "../../parts/bars";
import { footerOf, useFrame } from "../../parts/frame";
import { Panel } from "../../parts/panel";
import { Shown } from "../../parts/shown";
import type { Words } from "./words";

const STEPS: Record<string, string> = { viewed: "Viewed a product", added: "Added to cart", checkout: "Started checkout", paid: "Paid" };

const text = (sessions: number | null | undefined): string | null => (sessions == null ? null : String(sessions));

export function Funnel({ live, words }: { live: Live; words: Words }): JSX.Element {
  const frame = useFrame();
  const steps = live.funnel;
  const first = steps.find(({ step }) => step === "viewed") ?? steps[0];
  const paid = steps.find(({ step }) => step === "paid");
  const rate = share(text(paid?.sessions), text(first?.sessions));
  const all = steps.map(({ sessions }) => text(sessions));
  const seen = steps.some(({ sessions }) => (sessions ?? 0) > 0);
  return (
    <Panel
      class="side"
      title={seen ? `From view to payment: ${rate} of viewers pay` : "From view to payment"}
      footer={footerOf(frame, "funnel", `Sessions, ${words.window.toLowerCase().startsWith("today") ? words.window.toLowerCase() : words.window}`, false)}
      subject={{
        title: "From view to payment",
        question: { figure: "funnel", by: "step", from: live.shop.today ?? undefined, to: live.shop.today ?? undefined, basis: live.basis },
        window: words.window,
        sheet: () => ({
          name: `funnel-${live.shop.today}`,
          columns: [
            { title: "Step", unit: "text" },
            { title: "Sessions", unit: "count" },
          ],
          rows: steps.map(({ step, sessions }) => [STEPS[step] ?? step, sessions]),
        }),
      }}
    >
      {seen ? (
        <ol class="funnel">
          {steps.map(({ step, sessions }, index) => (
            <li key={step}>
              <span class="funnel-step">{STEPS[step] ?? step}</span>
              <strong class="number">
                <Shown name="funnel" by="step" item={step} value={text(sessions)} unit="count" />
              </strong>
              <span class="number muted funnel-rate">
                {index > 0 && (
                  <>
                    {share(text(sessions), text(steps[index - 1]?.sessions))}
                    <span class="sr"> of the step before</span>
                  </>
                )}
              </span>
              <Bar value={text(sessions)} all={all} />
            </li>
          ))}
        </ol>
      ) : (
        <p class="none">There are no sessions on this day. Sessions come from behaviour events: POST /v1/events.</p>
      )}
    </Panel>
  );
}
