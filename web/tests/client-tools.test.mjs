// What can be told of the client without running it: its types, its size, and whether old browsers and plain HTTP can take it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";

const WEB = fileURLToPath(new URL("../", import.meta.url));
const TOOLS = `${WEB}tests/tools/`;

const tools = await Promise.all([import("./tools/node_modules/esbuild/lib/main.js"), import("./tools/node_modules/eslint/lib/api.js")]).catch((error) => {
  if (error.code === "ERR_MODULE_NOT_FOUND") return null;
  throw error;
});
const skip = tools ? false : "run npm ci in web/tests/tools first";

/** What is loaded later, by `import()`, is no part of what loads it. @param {any} build */
const without = (build) => build.onResolve({ filter: /./ }, (/** @type {any} */ { path, kind }) => (kind === "dynamic-import" ? { path, external: true } : undefined));

/** Bytes of what these lines of a module take, minified and gzipped. @param {string} lines */
async function size(lines) {
  const [{ default: esbuild }] = /** @type {any} */ (tools);
  const stdin = { contents: lines, resolveDir: `${WEB}client` };
  const built = await esbuild.build({ stdin, plugins: [{ name: "later", setup: without }], bundle: true, minify: true, write: false, format: "esm", target: "chrome103" });
  return gzipSync(built.outputFiles[0].contents, { level: 9 }).length;
}

test("types fit, those that are shipped among them", { skip }, async () => {
  await promisify(execFile)(`${TOOLS}node_modules/.bin/tsc`, ["-p", TOOLS]).catch(({ stdout }) => assert.fail(stdout));
});

test("nothing is used that Chromium 103 or a plain address in a hall lacks", { skip }, async () => {
  const [, { ESLint }] = /** @type {any} */ (tools);
  const eslint = new ESLint({ cwd: WEB, overrideConfigFile: `${TOOLS}eslint.config.mjs` });
  const told = async (/** @type {Promise<any[]>} */ results) => (await results).flatMap(({ filePath, messages }) => messages.map((/** @type {any} */ one) => `${filePath}:${one.line} ${one.message}`));
  assert.deepEqual(await told(eslint.lintFiles(["client/*.js", "director/*.js", "openlifter/**/*.js", "*.js", "overlay/**/*.js"])), []);
  for (const bad of ["crypto.randomUUID();", "AbortSignal.any([]);", "caches.keys();", "await using file = open();", "/[a--b]/v.test('');"]) {
    assert.notDeepEqual(await told(eslint.lintText(bad)), [], bad);
  }
});

test("the client is small", { skip }, async () => {
  const sizes = {
    page: await size('export * from "./liftrelay.js";'),
    replica: await size('export { Replica } from "./replica.js"; export { meaning } from "./answer.js";'),
    core: await size('export { Core } from "./core.js"; export { Live } from "./live.js";'),
    worker: await size('import "./worker.js";'),
    later: await size('export * from "./streams.js"; export * from "./recovery.js";'),
  };
  const most = { page: 5 * 1024, replica: 5 * 1024, core: 10 * 1024, worker: 12.75 * 1024, later: 3.75 * 1024 };
  for (const [part, bytes] of Object.entries(sizes)) assert.ok(bytes <= most[/** @type {keyof typeof most} */ (part)], `${part}: ${bytes} bytes`);
});
