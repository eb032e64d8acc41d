// A mock, a browser and a page whose clock is the mock's.

import { chromium } from "playwright-core";
import { startMock } from "../mock/server.mjs";

export const AT = "2026-11-20T14:31:07Z";
const ARGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"];

export async function launch() {
  return chromium.launch({ executablePath: process.env.KASSA_CHROMIUM ?? "/usr/bin/chromium", args: ARGS });
}

/** Opens a view; `problems` collects whatever the console, the page or its policy complains of. */
export async function open(browser, { mock, width = 1280, height = 900, theme = "light", path = "#/live", at = AT, reducedMotion = "reduce" }) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, locale: "en-GB", reducedMotion, timezoneId: "UTC", acceptDownloads: true });
  const page = await context.newPage();
  const problems = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  if (at) await page.clock.setFixedTime(new Date(at));
  await page.goto(`${mock.url}/${path}`);
  return { page, problems, close: () => context.close() };
}

/** A page at rest: nothing is awaited, every chart is drawn, and two frames in a row have the same layout. */
export async function settled(page) {
  await page.waitForSelector("main [data-figure], main [data-count]");
  await page.waitForFunction(() => {
    const charts = [...document.querySelectorAll(".chart")];
    if (document.querySelector(".bone") || !charts.every((chart) => chart.querySelector("canvas, svg"))) return false;
    const now = [...document.querySelectorAll("main *")].map((one) => { const { x, y, width, height } = one.getBoundingClientRect(); return `${x} ${y} ${width} ${height}`; }).join();
    const same = window.lastLayout === now;
    window.lastLayout = now;
    return same && document.fonts.status === "loaded";
  });
}

export { startMock };
