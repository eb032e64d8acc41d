// Pictures of every page at every width in both themes, into the folder given (default: screenshots/).

import { mkdirSync } from "node:fs";
import { AT, launch, open, startMock } from "./stage.mjs";

const folder = process.argv[2] ?? "screenshots";
const only = process.argv[3];
mkdirSync(folder, { recursive: true });
const mock = await startMock({ at: new Date(Date.parse(AT) - 240).toISOString(), still: true, everyMs: 1000 });
const browser = await launch();
const VIEWS = { live: "#/live", sales: "#/sales", "sales-category": "#/sales?by=category", "sales-orders": "#/sales?bar=2026-11-18", data: "#/data" };
for (const [name, path] of Object.entries(VIEWS)) {
  if (only && !name.startsWith(only)) continue;
  for (const width of [360, 768, 1280]) {
    for (const theme of ["light", "dark"]) {
      const { page, problems, close } = await open(browser, { mock, width, theme, path });
      await page.waitForTimeout(1500);
      await page.screenshot({ path: `${folder}/${name}-${width}-${theme}.png`, fullPage: true });
      if (problems.length) process.stdout.write(`${name} ${width} ${theme}: ${problems.join("; ")}\n`);
      await close();
    }
  }
}
await browser.close();
await mock.close();
