// Each state of the page, driven by the mock: its texts, and that no value is made up.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AT, launch, open, startMock } from "./stage.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

async function scene(state, options, check) {
  const mock = await startMock({ at: AT, still: true, everyMs: 200, state });
  const view = await open(browser, { mock, ...options });
  try {
    await check(view.page, mock, view.problems);
  } finally {
    await view.close();
    await mock.close();
  }
}

const text = (page) => page.locator("main").innerText();
const figures = (page) => page.locator("main [data-figure]").count();

test("loading: bones and no digits, and the tiles stand where they will stand", () =>
  scene("silent", {}, async (page, mock) => {
    await page.waitForSelector(".bone");
    assert.equal(await page.locator("main").getAttribute("data-phase"), "loading");
    assert.doesNotMatch(await text(page), /\d/);
    const boxes = () => page.$$eval(".tile", (tiles) => tiles.map((tile) => { const { x, y, width, height } = tile.getBoundingClientRect(); return [x, y, width, height].map(Math.round).join(" "); }));
    const loading = await boxes();
    mock.state = "live";
    await page.waitForSelector('[data-figure="net_sales"]');
    assert.deepEqual(await boxes(), loading);
  }));

test("no records yet: says which commands feed it, and no zeroes", () =>
  scene("empty", {}, async (page) => {
    await page.getByText("No records yet").waitFor();
    const words = await text(page);
    for (const command of ["kassa demo", "kassa replay", "/v1/orders"]) assert.ok(words.includes(command), command);
    assert.equal(await figures(page), 0);
    await page.goto(`${page.url().split("#")[0]}#/sales`);
    await page.getByText("No records yet").waitFor();
    await page.goto(`${page.url().split("#")[0]}#/data`);
    await page.getByText("Not proven yet").waitFor();
    await page.getByText("None. Every record was accepted or a duplicate.").waitFor();
  }));

test("stale: the age is shown and the figures are grey", () =>
  scene("stale", {}, async (page) => {
    await page.waitForSelector(".stale");
    assert.match(await page.locator(".dot-late").innerText(), /Stale\s+1 min old/);
    const [figure, muted] = await page.evaluate(() => [document.querySelector(".figure"), document.querySelector(".panel-foot")].map((one) => getComputedStyle(one).color));
    assert.equal(figure, muted);
  }));

test("partial: the sink that is behind is named, and the live figures stand", () =>
  scene("partial", {}, async (page) => {
    await page.getByText("Lake 24 s behind").waitFor();
    assert.equal(await page.locator(".stale").count(), 0);
    await page.goto(`${page.url().split("#")[0]}#/sales`);
    await page.getByText("these figures may still grow").waitFor();
  }));

test("disconnected: a banner, the last figures with their time, and back again by itself", () =>
  scene("live", {}, async (page, mock) => {
    await page.waitForSelector('[data-figure="net_sales"]');
    const before = await page.locator('.tile [data-figure="net_sales"]').getAttribute("data-value");
    mock.state = "down";
    mock.drop();
    await page.getByText("Connection lost").waitFor();
    assert.match(await page.locator(".banner").innerText(), /as of 14:31:07.*Next attempt in \d+ s|as of 14:31:07.*Connecting now/s);
    assert.equal(await page.locator('.tile [data-figure="net_sales"]').getAttribute("data-value"), before);
    assert.equal(await page.locator(".board.stale").count(), 1);
    await page.getByText("were current then").waitFor();
    mock.state = "live";
    await page.getByText("Connection lost").waitFor({ state: "detached" });
    await page.locator(".stale").waitFor({ state: "detached" });
  }));

test("away before the first figure: the banner says so, and no figure is made up", () =>
  scene("down", {}, async (page) => {
    await page.getByText("No figures have arrived yet").waitFor();
    assert.equal(await figures(page), 0);
    assert.doesNotMatch(await text(page), /\d/);
  }));

test("error: what, what to do, and the code's page, on every page", () =>
  scene("error", {}, async (page) => {
    for (const path of ["#/live", "#/sales", "#/data"]) {
      await page.goto(`${page.url().split("#")[0]}${path}`);
      await page.getByText("docs/errors/lake_unreadable.md").waitFor();
      const words = await text(page);
      assert.match(words, /The lake cannot be read/);
      assert.match(words, /restore it from a backup/);
      assert.equal(await figures(page), 0);
    }
  }));

test("provisional: the running bucket is named", () =>
  scene("live", {}, async (page) => {
    await page.getByText("provisional since 14:30").waitFor();
    await page.getByText("hatched: current hour").waitFor();
  }));

test("a last day that lies in the past is called by its name", () =>
  scene("past", {}, async (page) => {
    await page.getByText("Sun 11 Oct 2026 · last day with records").first().waitFor();
    assert.doesNotMatch((await page.locator(".board").innerText()).replace(/not over|dead letters today/g, ""), /\btoday\b|yesterday|provisional/i);
  }));

test("a first day has nothing to compare with, and says so", () =>
  scene("first_day", {}, async (page) => {
    await page.getByText("yesterday by now: none").first().waitFor();
    await page.getByText("Not proven yet").waitFor();
  }));

test("a failed proof is said on Live, with its findings on Data", () =>
  scene("unproven", {}, async (page) => {
    await page.getByText("The proof failed").click();
    await page.getByText("12 records are in the archive but not in the table").waitFor();
    await page.waitForURL(/#\/data/);
  }));

test("all dead letters are a press away, and the first ten stand by themselves", () =>
  scene("many", { path: "#/data" }, async (page) => {
    const rows = page.locator(".reasons > li");
    await rows.nth(9).waitFor();
    assert.equal(await rows.count(), 10);
    await page.getByRole("button", { name: "All 15" }).click();
    await page.getByRole("button", { name: "Only the first 10" }).waitFor();
    await rows.nth(14).waitFor();
    assert.equal(await rows.count(), 15);
  }));

test("a figure without days is shown whole or by its own parts", () =>
  scene("live", { path: "#/sales?figure=funnel&by=day" }, async (page) => {
    await page.waitForSelector('[data-figure="funnel"][data-by="step"]');
    assert.equal(await page.locator(".headline").count(), 0);
  }));

test("from a bar to its orders; and the address shows another person the same", () =>
  scene("live", { path: "#/sales?from=2026-11-01&to=2026-11-20" }, async (page) => {
    const chart = page.locator(".chart.picks");
    await chart.locator("canvas").waitFor();
    await chart.focus();
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowLeft");
    await page.getByText("Click or Enter: its orders").waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Orders of Thu 19 Nov 2026" }).waitFor();
    assert.match(page.url(), /bar=2026-11-19/);
    await page.reload();
    await page.getByRole("heading", { name: "Orders of Thu 19 Nov 2026" }).waitFor();
    await page.locator(".orders tbody tr").first().waitFor();
  }));

test("a member's orders are those of a day that can be chosen; a month its orders, and its days", () =>
  scene("live", { path: "#/sales?by=country&from=2026-11-01&to=2026-11-20" }, async (page) => {
    await page.getByRole("link", { name: "Germany" }).click();
    await page.getByRole("heading", { name: "Orders to Germany, 1 Nov – 20 Nov 2026" }).waitFor();
    await page.getByLabel("Day of the orders").fill("2026-11-18");
    await page.getByRole("heading", { name: "Orders to Germany on Wed 18 Nov 2026" }).waitFor();
    await page.locator(".orders tbody tr").first().waitFor();
    await page.goto(`${page.url().split("#")[0]}#/sales?by=month&from=2026-09-01&to=2026-11-20`);
    const chart = page.locator(".chart.picks");
    await chart.locator("canvas").waitFor();
    await chart.focus();
    await page.keyboard.press("Home");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Orders of 1 Sept – 30 Sept 2026" }).waitFor();
    await page.getByRole("link", { name: "Its days" }).click();
    await page.getByRole("heading", { name: "Net sales by day, 1 Sept – 30 Sept 2026" }).waitFor();
  }));

test("figure, grouping and range are chosen by hand and kept in the address", () =>
  scene("live", { path: "#/sales" }, async (page) => {
    // The links continue from the view for which they were drawn.
    await page.getByLabel("Figure", { exact: true }).selectOption("aov");
    await page.waitForSelector('[data-figure="aov"]');
    await page.getByLabel("By", { exact: true }).selectOption("country");
    await page.waitForSelector('[data-figure="aov"][data-by="country"]');
    await page.getByRole("link", { name: "This month" }).click();
    await page.waitForFunction(() => ["figure=aov", "by=country", "from=2026-11-01"].every((part) => location.hash.includes(part)));
    await page.getByRole("link", { name: "Table" }).click();
    await page.getByRole("columnheader", { name: "Country" }).waitFor();
    await page.getByRole("button", { name: "Basis" }).click();
    await page.getByRole("link", { name: "By day of order" }).click();
    await page.waitForFunction(() => location.hash.includes("basis=order"));
  }));
