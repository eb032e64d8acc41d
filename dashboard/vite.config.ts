import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Nothing inline, nothing from another host. In the page itself, so that it holds whatever serves it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

function contentSecurityPolicy(): Plugin {
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml: () => [
      { tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content: POLICY }, injectTo: "head-prepend" },
    ],
  };
}

/** A plain script, before the first paint and outside the bundle. */
function themeFirst(): Plugin {
  return { name: "theme-first", transformIndexHtml: () => [{ tag: "script", attrs: { src: "./theme.js" }, injectTo: "head" }] };
}

export default defineConfig({
  base: "./",
  plugins: [contentSecurityPolicy(), themeFirst()],
  server: { proxy: { "/api": "http://127.0.0.1:8080" } },
  test: { css: true, environment: "node", include: ["src/**/*.test.ts"] },
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 700 },
});
