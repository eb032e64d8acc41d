import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { ask, catalogue } from "./api/http";
import { timeIn } from "./format/times";
import { DataPage } from "./pages/data/data";
import { LivePage } from "./pages/live/live";
import { SalesPage } from "./pages/sales/sales";
import { type Frame, FrameContext, colours } from "./parts/frame";
import { Header } from "./parts/header";
import { Lost } from "./parts/states";
import { feed, useFeed, useNow, useQuery, useRoute } from "./state/hooks";
import { phaseOf } from "./state/phase";

const TITLES = { live: "Live", sales: "Sales", data: "Data" };

/** The catalogue is requested again, so that one lost answer does not leave the page without definitions. */
const CATALOGUE_MS = 60_000;

export function App(): JSX.Element {
  const route = useRoute();
  const state = useFeed();
  const now = useNow(1000);
  const phase = phaseOf(state);
  useEffect(() => {
    feed.start(route.basis);
    return () => feed.stop();
  }, [route.basis]);
  const shop = state.live?.shop;
  useEffect(() => {
    document.title = `${TITLES[route.page]} · ${shop?.name ?? "kassa"}`;
  }, [route.page, shop?.name]);
  const frame = useFrameOf(shop, route.basis);
  const asOf = state.live ? timeIn(state.live.shop.time_zone, state.live.as_of) : null;
  return (
    <FrameContext.Provider value={frame}>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the figures
      </a>
      <Header state={state} phase={phase} route={route} now={now} />
      <Lost connection={state.connection} asOf={asOf} />
      <main id="main" tabIndex={-1} data-phase={phase.kind}>
        {route.page === "live" && <LivePage phase={phase} now={now} />}
        {route.page === "sales" && <SalesPage phase={phase} route={route} now={now} />}
        {route.page === "data" && <DataPage state={state} now={now} />}
      </main>
    </FrameContext.Provider>
  );
}

/** The fragment identifies the view, so the skip link moves the focus without changing it. */
function skip(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function useFrameOf(shop: { currency: string; time_zone: string; today: string | null } | undefined, basis: Frame["basis"]): Frame {
  const open = shop?.today ? "open" : null;
  const definitions = useQuery(shop ? "catalogue" : null, catalogue, CATALOGUE_MS).answer;
  const categories = useQuery(open && "categories", (signal) => ask({ figure: "net_sales", by: "category", basis: "movement" }, signal)).answer;
  return useMemo(
    () => ({
      currency: shop?.currency ?? "EUR",
      zone: shop?.time_zone ?? "UTC",
      basis,
      definitions: new Map((definitions ?? []).map((definition) => [definition.name, definition])),
      colourOf: colours((categories?.rows ?? []).map(({ key }) => key)),
    }),
    [shop?.currency, shop?.time_zone, basis, definitions, categories],
  );
}
