/** The context of all parts of a page, set once at the top. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Basis, Definition } from "../api/shapes";
import { place } from "../format/times";

export interface Frame {
  currency: string;
  zone: string;
  basis: Basis;
  definitions: Map<string, Definition>;
  /** Colour of a category, the same on every page. */
  colourOf: (category: string) => string;
}

export const FrameContext = createContext<Frame>({
  currency: "EUR",
  zone: "UTC",
  basis: "movement",
  definitions: new Map(),
  colourOf: () => "var(--category-other)",
});

export const useFrame = (): Frame => useContext(FrameContext);

function basisWords(basis: Basis): string {
  return basis === "order" ? "by day of order" : "by day of movement";
}

/** The figure's basis for the page's basis: a figure may have only one, or none. Empty while unknown. */
export function basisOf({ definitions, basis }: Frame, figure: string): string[] {
  const bases = definitions.get(figure)?.bases;
  if (!bases) return [];
  const own = bases.includes(basis) ? basis : bases[0];
  return [own ? basisWords(own) : "by time of event"];
}

/** The footer of a figure's tile: window, zone, basis, currency. */
export function footerOf(frame: Frame, figure: string, window: string, withCurrency = true): string {
  return [window, place(frame.zone), ...basisOf(frame, figure), ...(withCurrency ? [frame.currency] : [])].join(" · ");
}

/** Distinguishable colours. */
const COLOURS = 8;

/** One colour for each of the eight largest categories, in alphabetical order, so that all readers see the same; no two share one. */
export function colours(largestFirst: string[]): (category: string) => string {
  const slots = new Map([...new Set(largestFirst)].slice(0, COLOURS).sort().map((name, index) => [name, index + 1]));
  return (category) => {
    const slot = slots.get(category);
    return slot ? `var(--category-${slot})` : "var(--category-other)";
  };
}
