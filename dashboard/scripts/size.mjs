// The limits of the dashboard: all JavaScript together at most 300 kB gzipped; nothing inline, nothing from another host.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const BUDGET_BYTES = 300_000;
const dist = fileURLToPath(new URL("../dist", import.meta.url));
const files = readdirSync(dist, { recursive: true }).map(String);
const scripts = files.filter((name) => name.endsWith(".js")).map((name) => [name, gzipSync(readFileSync(join(dist, name))).length]);
const total = scripts.reduce((sum, [, size]) => sum + size, 0);
for (const [name, size] of scripts) process.stdout.write(`${String(size).padStart(8)}  ${name}\n`);
process.stdout.write(`${String(total).padStart(8)}  bytes of JavaScript gzipped, of ${BUDGET_BYTES}\n`);

const page = readFileSync(join(dist, "index.html"), "utf8");
const faults = [
  [total > BUDGET_BYTES, "the budget is spent"],
  [/<script(?![^>]*\ssrc=)/.test(page) || /<style|\sstyle=/.test(page), "index.html has something inline"],
  [/(?:src|href)="(?:https?:)?\/\//.test(page), "index.html names another host"],
  [!page.includes("Content-Security-Policy"), "index.html has no policy"],
].filter(([wrong]) => wrong);
for (const [, words] of faults) process.stderr.write(`size: ${words}\n`);
process.exit(faults.length ? 1 : 0);
