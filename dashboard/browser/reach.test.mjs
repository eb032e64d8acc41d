// Accessibility: by keyboard, at every width, in both themes, under its own content security policy.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AT, launch, open, settled, startMock } from "./stage.mjs";

const PAGES = ["#/live", "#/sales", "#/sales?by=product", "#/sales?shape=table", "#/sales?bar=2026-11-18", "#/data"];
let browser;
let mock;
before(async () => {
  browser = await launch();
  mock = await startMock({ at: AT, still: true, everyMs: 500 });
});
after(async () => {
  await browser.close();
  await mock.close();
});

for (const width of [360, 768, 1280]) {
  test(`at ${width} px no page scrolls sideways, complains, or breaks its policy`, async () => {
    for (const path of PAGES) {
      for (const theme of ["light", "dark"]) {
        const { page, problems, close } = await open(browser, { mock, width, theme, path });
        await settled(page);
        const [scroll, client] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
        assert.ok(scroll <= client, `${path} is ${scroll} px wide in ${client}`);
        assert.deepEqual(await clipped(page), [], `${path} at ${width}`);
        assert.deepEqual(problems, [], path);
        assert.deepEqual(await page.evaluate(() => window.violations), [], path);
        await close();
      }
    }
  });
}

/** Figures and comparisons that stick out of their tile. */
const clipped = (page) =>
  page.$$eval(".tile .figure, .tile .delta, .multiple-value", (all) =>
    all.filter((one) => { const range = document.createRange(); range.selectNodeContents(one); return range.getBoundingClientRect().right > one.closest(".panel").getBoundingClientRect().right; }).map((one) => one.textContent));

test("the policy refuses what is inline", async () => {
  const { page, close } = await open(browser, { mock });
  await settled(page);
  const ran = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.inline = true";
    document.head.append(script);
    return window.inline === true;
  });
  assert.equal(ran, false);
  assert.match((await page.evaluate(() => window.violations)).join(), /script-src/);
  await close();
});

for (const theme of ["light", "dark"]) {
  test(`in the ${theme} theme every text has a contrast of 4.5 and more`, async () => {
    const stale = await startMock({ at: AT, still: true, everyMs: 500, state: "stale" });
    for (const [from, path] of [...PAGES.map((path) => [mock, path]), [stale, "#/live"]]) {
      const { page, close } = await open(browser, { mock: from, theme, path });
      await settled(page);
      assert.deepEqual(await pale(page), [], path);
      await close();
    }
    await stale.close();
  });
}

/** Texts whose colour stands out too little from the ground behind them. */
const pale = (page) =>
  page.evaluate(() => {
    const parse = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = ([r, g, b]) => [r, g, b].map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)).reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    const groundOf = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = parse(getComputedStyle(at).backgroundColor);
        if (colour.length === 3 || colour[3] === 1) return colour;
      }
      return [255, 255, 255];
    };
    const found = [];
    for (const element of document.querySelectorAll("#app *")) {
      const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
      if (!own || !element.checkVisibility() || element.closest(".sr, .skip")) continue;
      const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(groundOf(element))];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (contrast < 4.5) found.push(`${contrast.toFixed(2)} ${element.className} "${element.textContent.slice(0, 30)}"`);
    }
    return found;
  });

test("the keyboard alone reaches all that can be used, and the focus is seen", async () => {
  for (const path of PAGES) {
    const { page, close } = await open(browser, { mock, path, height: 1600 });
    await settled(page);
    await page.evaluate(() => document.activeElement?.blur?.());
    const expected = await page.$$eval("a[href], button, select, input, summary, [tabindex='0']", (all) => all.filter((one) => one.checkVisibility()).length);
    const reached = new Set();
    const unseen = [];
    for (let press = 0; press < expected * 4 + 20; press++) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const element = document.activeElement;
        if (!element || element === document.body) return null;
        const all = [...document.querySelectorAll("a[href], button, select, input, summary, [tabindex='0']")];
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        return { index: all.indexOf(element), seen: outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 1, name: element.outerHTML.slice(0, 80) };
      });
      if (!at) { if (reached.size >= expected) break; continue; }
      reached.add(at.index);
      if (!at.seen) unseen.push(at.name);
    }
    assert.ok(reached.size >= expected, `${path}: ${reached.size} of ${expected}`);
    assert.deepEqual(unseen, [], path);
    await close();
  }
});

test("everything that can be used has a name, and every chart its words", async () => {
  for (const path of PAGES) {
    const { page, close } = await open(browser, { mock, path });
    await settled(page);
    const nameless = await page.$$eval("a[href], button, select, input, .chart", (all) =>
      all.filter((one) => !(one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.length)).map((one) => one.outerHTML));
    assert.deepEqual(nameless, [], path);
    const wordless = await page.$$eval(".chart", (all) => all.filter((one) => (document.getElementById(one.getAttribute("aria-describedby"))?.textContent ?? "").length < 20).length);
    assert.equal(wordless, 0, path);
    await close();
  }
});

test("a chart is read with arrow keys as with the pointer", async () => {
  const { page, close } = await open(browser, { mock });
  await settled(page);
  const chart = page.getByRole("group", { name: "Orders per hour" });
  await chart.focus();
  await page.keyboard.press("Home");
  for (let step = 0; step < 9; step++) await page.keyboard.press("ArrowRight");
  const tip = page.locator(".tip").filter({ hasText: "09:00–10:00" });
  await tip.waitFor();
  assert.ok((await tip.innerText()).includes(String(mock.sent.orders_by_hour.today[9])));
  await page.keyboard.press("Escape");
  await page.locator(".tip").waitFor({ state: "detached" });
  const box = await chart.boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.locator(".tip").waitFor();
  await close();
});

test("the explanation opens and closes by key, and gives the focus back", async () => {
  const { page, close } = await open(browser, { mock });
  await settled(page);
  const button = page.getByRole("button", { name: "About Net sales", exact: true });
  await button.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Net sales" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.waitForFunction((element) => element === document.activeElement, await button.elementHandle());
  await close();
});

test("a menu is walked with arrow keys", async () => {
  const { page, close } = await open(browser, { mock });
  await settled(page);
  await page.getByRole("button", { name: /^Range/ }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "Last 7 days" }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => location.hash.includes("from=2026-11-14") && location.hash.includes("to=2026-11-20"));
  await close();
});

test("the theme is the system's until one is chosen, and the choice stays", async () => {
  const { page, close } = await open(browser, { mock, theme: "dark" });
  await settled(page);
  const ground = (colour) => page.waitForFunction((colour) => getComputedStyle(document.documentElement).backgroundColor === colour, colour);
  await ground("rgb(19, 19, 18)");
  await page.getByRole("button", { name: "Use the light theme" }).click();
  await ground("rgb(246, 246, 243)");
  await page.reload();
  await settled(page);
  await ground("rgb(246, 246, 243)");
  await close();
});

test("nothing moves for those who asked for no motion", async () => {
  const silent = await startMock({ at: AT, state: "silent" });
  const { page, close } = await open(browser, { mock: silent });
  await page.waitForSelector(".bone");
  assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
  await close();
  await silent.close();
});
