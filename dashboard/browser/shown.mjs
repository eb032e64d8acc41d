// Reads the page of a running kassa: node browser/shown.mjs URL < a JSON array of views (#/live, #/sales?…). Prints an array of
// {view, figures: {"net_sales/day/2026-01-31": ["12.30"]}, counts: {read: ["40"]}, words}: the exact strings behind the formatted
// ones, each as often as it occurs on the page.

import { text } from "node:stream/consumers";
import { launch } from "./stage.mjs";

/** Pages that are open at once: most of the time of each goes by in waiting. */
const READERS = 3;
const SETTINGS = { viewport: { width: 1280, height: 900 }, locale: "en-GB", timezoneId: "UTC", reducedMotion: "reduce" };
const [url] = process.argv.slice(2);
const views = JSON.parse(await text(process.stdin));
const browser = await launch();

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

/** A view at rest: twice the same, with no answer under way (a bone stands where one is). */
async function settled(page) {
  for (let last = "", tries = 0; tries < 500; tries++) {
    const now = JSON.stringify(await page.evaluate(read));
    if (now !== "null" && now === last) return JSON.parse(now);
    last = now;
    await page.waitForTimeout(60);
  }
  throw new Error(`${page.url()} does not come to rest`);
}

/** Goes on to another view as a link does, and waits until it has been drawn. */
const follow = (view) =>
  new Promise((drawn) => {
    addEventListener("hashchange", () => requestAnimationFrame(() => setTimeout(drawn)), { once: true });
    location.hash = view;
  });

const shown = [];
let next = 0;
/** In a context of its own: a browser opens six connections to a server, and each page's live stream holds one. */
async function reader() {
  const page = await (await browser.newContext(SETTINGS)).newPage();
  for (let at = next++, first = true; at < views.length; at = next++, first = false) {
    await (first ? page.goto(`${url}/${views[at]}`) : page.evaluate(follow, views[at]));
    shown[at] = { view: views[at], ...(await settled(page)) };
  }
}
await Promise.all(Array.from({ length: READERS }, reader));
await browser.close();
process.stdout.write(JSON.stringify(shown));
