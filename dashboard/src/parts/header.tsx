/** The top of every page: shop, pages, age of the figures, range, basis, theme. */

import type { JSX } from "preact";
import { age } from "../format/times";
import { wordsOf } from "../pages/live/words";
import { RangeMenu } from "../pages/sales/range-menu";
import type { FeedState } from "../state/feed";
import { type Phase, ageOf } from "../state/phase";
import { type Page, type Route, to } from "../state/route";
import { useTheme } from "../state/theme";
import { Menu } from "./menu";

const PAGES: [Page, string][] = [
  ["live", "Live"],
  ["sales", "Sales"],
  ["data", "Data"],
];

/** After this time without a change, the figures are shown as idle. */
const IDLE_MS = 60_000;

interface HeaderProps {
  state: FeedState;
  phase: Phase;
  route: Route;
  now: number;
}

export function Header({ state, phase, route, now }: HeaderProps): JSX.Element {
  const shop = state.live?.shop.name;
  const [theme, toggle] = useTheme();
  const bases = [
    { title: "By day of movement", href: to(route, { basis: "movement" }), current: route.basis === "movement" },
    { title: "By day of order", href: to(route, { basis: "order" }), current: route.basis === "order" },
  ];
  return (
    <header class="top">
      <div class="top-name">
        <h1>{shop ?? "kassa"}</h1>
        <nav aria-label="Pages">
          {PAGES.map(([page, title]) => (
            <a key={page} href={to(route, { page })} aria-current={route.page === page ? "page" : undefined}>
              {title}
            </a>
          ))}
        </nav>
      </div>
      <div class="top-tools">
        <Dot state={state} phase={phase} now={now} />
        {route.page === "live" && phase.kind === "shown" && <RangeMenu live={phase.live} route={route} label={wordsOf(phase.live, now).day} />}
        {route.page !== "data" && <Menu name="Basis" label={route.basis === "order" ? "By day of order" : "By day of movement"} choices={bases} />}
        <button type="button" class="chip square" aria-label={`Use the ${theme === "dark" ? "light" : "dark"} theme`} onClick={toggle}>
          <span aria-hidden="true">◐</span>
        </button>
      </div>
    </header>
  );
}

function Dot({ state, phase, now }: { state: FeedState; phase: Phase; now: number }): JSX.Element {
  const old = ageOf(state, now);
  const lost = state.connection.kind === "waiting";
  const refused = state.connection.kind === "waiting" && !state.connection.refusal.unreachable;
  const late = phase.kind === "shown" && phase.stale;
  const kind = lost ? "lost" : late ? "late" : old === null ? "waiting" : old > IDLE_MS ? "idle" : "live";
  const words = { lost: refused ? "Error" : "Disconnected", late: "Stale", waiting: "Connecting", idle: "Unchanged for", live: "Live" }[kind];
  return (
    <span class={`chip still dot-${kind}`} title={`${words}: how old the figures are`}>
      <span class="dot" aria-hidden="true" />
      <span>
        <span class={kind === "live" ? "sr" : ""}>{words} </span>
        {old !== null && <span class="age">{kind === "idle" ? age(old) : `${age(old)} old`}</span>}
      </span>
    </span>
  );
}
