import type { JSX } from "preact";
import type { Phase } from "../../state/phase";
import type { Route } from "../../state/route";
export function SalesPage(_: { phase: Phase; route: Route; now: number }): JSX.Element { return <p/>; }
