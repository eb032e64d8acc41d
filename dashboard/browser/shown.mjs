// What the page of a running kassa shows: node browser/shown.mjs URL < a JSON array of views (#/live, #/sales?…).
// Prints an array of {view, figures: {"net_sales/day/2026-01-31": ["12.30"]}, counts: {read: ["40"]}, words}: the exact strings beside what is
// formatted, each as often as it stands on the page.

import { text } from "node:stream/consumers";
import { launch } from "./stage.mjs";

const [url] = process.argv.slice(2);
const views = JSON.parse(await text(process.stdin));
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-GB", timezoneId: "UTC", reducedMotion: "reduce" });

/** All exact strings, by what they are of; null while the page is not there yet. */
const read = () => {
  const main = document.querySelector("main");
  if (!main || document.querySelector("main .bone") || !main.querySelector("[data-figure], [data-count], .notice")) return null;
  const gather = (selector, name) => {
    const found = {};
    for (const element of main.querySelectorAll(selector)) (found[name(element.dataset)] ??= []).push(element.dataset.value);
    return found;
  };
  return {
    figures: gather("[data-figure]", ({ figure, by, key }) => `${figure}/${by}/${key}`),
    counts: gather("[data-count]", ({ count }) => count),
    words: main.querySelector(".notice, .error")?.textContent ?? "",
  };
};

/** A view at rest: twice the same, with no answer under way. */
async function settled(page) {
  for (let last = "", tries = 0; tries < 100; tries++) {
    await page.waitForLoadState("networkidle", { timeout: 150 }).catch(() => {});
    const now = JSON.stringify(await page.evaluate(read));
    if (now !== "null" && now === last) return JSON.parse(now);
    last = now;
    await page.waitForTimeout(40);
  }
  throw new Error(`${page.url()} does not come to rest`);
}

const shown = [];
for (const view of views) {
  const page = await context.newPage();
  await page.goto(`${url}/${view}`);
  shown.push({ view, ...(await settled(page)) });
  await page.close();
}
await browser.close();
process.stdout.write(JSON.stringify(shown));
