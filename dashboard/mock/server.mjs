// Serves dist and a synthetic shop, to view the dashboard and to drive its states in tests. Node only, no dependencies.
//   node mock/server.mjs [--port 4180] [--at 2026-11-20T14:31:07Z] [--state live|empty|stale|partial|error|silent|past|first_day|unproven]
// GET /mock?state=empty changes the state while it runs.

import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { CATALOGUE, emptyLive, figureAnswer, instantOf, live, ordersAnswer, pipeline } from "./answers.mjs";
import { money } from "./shop.mjs";

const DIST = join(fileURLToPath(new URL(".", import.meta.url)), "..", "dist");
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const REFUSAL = { error: { code: "lake_unreadable", message: "the lake cannot be read: ./data/lake/DWH/fact_sales/_delta_log is missing", hint: "point [lake] url at the folder that holds DWH, or restore it from a backup" } };

/** Options: port (0 is any), at (the mock's start of time), still (its clock stands), state, everyMs (how often the stream pushes). */
export async function startMock({ port = 0, at, still = false, state = "live", everyMs = 100 } = {}) {
  const shift = at ? Date.parse(at) - Date.now() : 0;
  const mock = { state, still, everyMs, sent: null, pushes: 0, streams: new Set() };
  mock.now = () => new Date(still ? Date.parse(at) : Date.now() + shift);
  const server = createServer((request, response) => answer(mock, new URL(request.url, "http://mock"), response));
  await new Promise((ready) => server.listen(port, "127.0.0.1", ready));
  mock.url = `http://127.0.0.1:${server.address().port}`;
  mock.drop = () => mock.streams.forEach((response) => response.destroy());
  mock.close = () => { mock.drop(); server.closeAllConnections(); return new Promise((done) => server.close(done)); };
  return mock;
}

function answer(mock, url, response) {
  const now = mock.now();
  const at = momentOf(mock, now);
  const path = url.pathname;
  if (path === "/mock") { mock.state = url.searchParams.get("state") ?? mock.state; mock.drop(); return json(response, 200, { state: mock.state }); }
  if (!path.startsWith("/api/")) return asset(path, response);
  if (mock.state === "down") return response.destroy();
  if (mock.state === "error") return json(response, 503, REFUSAL);
  if (path === "/api/v1/live") return stream(mock, url.searchParams.get("basis") ?? "movement", response);
  if (path === "/api/v1/pipeline") return json(response, 200, pipeline(at, now, mock.state));
  if (path === "/api/v1/figures") return json(response, 200, CATALOGUE);
  if (path === "/api/v1/orders") {
    const unknown = [...url.searchParams.keys()].find((name) => !["day", "from", "to", "basis", "category", "product", "country", "limit"].includes(name));
    return unknown ? json(response, 400, { error: { code: "bad_parameter", message: `there is no parameter ${unknown}`, hint: "" } }) : json(response, 200, ordersAnswer(url.searchParams));
  }
  const figure = /^\/api\/v1\/figures\/(\w+)$/.exec(path)?.[1];
  if (!figure) return json(response, 404, { error: { code: "not_found", message: `there is nothing at ${path}`, hint: "see /api/v1/openapi.json" } });
  const { status, body } = figureAnswer(figure, url.searchParams, at, now);
  if (mock.state === "empty" && body.rows) body.rows = [];
  return json(response, status, body);
}

/** The day's figures, worked out once a minute: a mock that pushes every 10 ms must have time for it. */
function liveOf(mock, basis, at, now) {
  const key = `${mock.state} ${basis} ${at.today} ${at.minute}`;
  if (mock.key !== key) Object.assign(mock, { key, base: live(basis, at, now, mock.state) });
  return mock.base;
}

/** With every push another few pounds, unless the clock stands. */
function ticked(mock, base, now) {
  if (mock.still) return base;
  const [net, ...others] = base.tiles;
  return { ...base, as_of: now.toISOString(), tiles: [{ ...net, value: money(Math.round(Number(net.value) * 100) + mock.pushes * 137) }, ...others] };
}

/** The shop's day and minute; in the state `past` its last record is 40 days old. */
const momentOf = (mock, now) => instantOf(mock.state === "past" ? new Date(now.getTime() - 40 * 86_400_000) : now);

function stream(mock, basis, response) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.flushHeaders();
  mock.streams.add(response);
  let piped = 0;
  const push = () => {
    if (mock.state === "silent") return;
    const now = mock.now();
    const at = momentOf(mock, now);
    mock.pushes += 1;
    mock.sent = mock.frozen ?? (mock.state === "empty" ? emptyLive(basis, now) : ticked(mock, liveOf(mock, basis, at, now), now));
    response.write(`event: live\ndata: ${JSON.stringify(mock.sent)}\n\n`);
    if (Date.now() - piped < 1000) return;
    piped = Date.now();
    response.write(`event: pipeline\ndata: ${JSON.stringify(pipeline(at, now, mock.state))}\n\n`);
  };
  push();
  const timer = setInterval(push, mock.everyMs);
  response.on("close", () => { clearInterval(timer); mock.streams.delete(response); });
}

function asset(path, response) {
  const file = join(DIST, normalize(path === "/" ? "/index.html" : path));
  if (!file.startsWith(DIST) || !existsSync(file)) { response.writeHead(404); return response.end(); }
  response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
  createReadStream(file).pipe(response);
}

function json(response, status, body) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "4180" }, at: { type: "string" }, state: { type: "string", default: "live" } } });
  const mock = await startMock({ port: Number(values.port), at: values.at, state: values.state });
  process.stdout.write(`${mock.url}\n`);
}
