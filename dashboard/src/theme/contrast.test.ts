import { describe, expect, test } from "vitest";
import tokens from "./tokens.css?raw";

const COLOURS = new Map([...tokens.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);/g)].map(([, name, light, dark]) => [name, { light, dark }]));

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(name: string, ground: string, theme: "light" | "dark"): number {
  const [a, b] = [name, ground].map((token) => {
    const colour = COLOURS.get(token)?.[theme];
    if (!colour) throw new Error(`no token ${token}`);
    return luminance(colour);
  }) as [number, number];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

const TEXTS = ["text", "muted", "accent", "positive", "negative", "warning"];
const GRAPHICS = ["accent", "compare", "positive", "negative", "warning", "category-other", ...Array.from({ length: 8 }, (_, index) => `category-${index + 1}`)];

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  test.each(TEXTS.flatMap((name) => ["page", "surface", "raised", "sunken"].map((ground) => [name, ground] as const)))("%s is readable on %s", (name, ground) => {
    expect(contrast(name, ground, theme)).toBeGreaterThanOrEqual(4.5);
  });

  test.each([
    ["text", "accent-wash"],
    ["text", "warning-wash"],
    ["text", "negative-wash"],
    ["muted", "accent-wash"],
    ["on-accent", "accent"],
  ])("%s is readable on %s", (name, ground) => expect(contrast(name, ground, theme)).toBeGreaterThanOrEqual(4.5));

  test.each(GRAPHICS)("%s is visible on the surface", (name) => expect(contrast(name, "surface", theme)).toBeGreaterThanOrEqual(3));
});
