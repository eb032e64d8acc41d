/** What every part of a page may need to know, given once at the top. */

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

export function basisWords(basis: Basis): string {
  return basis === "order" ? "by day of order" : "by day of movement";
}

/** The footer of a tile: window, zone, basis, currency. */
export function footerOf(frame: Frame, window: string, withCurrency = true): string {
  return [window, place(frame.zone), basisWords(frame.basis), ...(withCurrency ? [frame.currency] : [])].join(" · ");
}

/** Eight colours by the alphabet of all categories, so that each reader sees the same. */
export function colours(categories: string[]): (category: string) => string {
  const slots = new Map([...new Set(categories)].sort().map((name, index) => [name, (index % 8) + 1]));
  return (category) => {
    const slot = slots.get(category);
    return slot ? `var(--category-${slot})` : "var(--category-other)";
  };
}
