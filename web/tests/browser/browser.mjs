// A headless Chromium, and what a test wants to know of a page in it.

import { execFile } from "node:child_process";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const WAIT_MS = 15000;

/** Installed by hand, so that the other tests need nothing but Node. */
const driver = await import("playwright-core").catch((error) => {
  if (error.code === "ERR_MODULE_NOT_FOUND") return null;
  throw error;
});

/** Why the tests in a browser cannot run here; false where they can. */
export const skip = driver ? false : "run npm ci in web/tests/browser first";

/** @param {string[]} flags */
export function launch(...flags) {
  return driver.chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS, ...flags] });
}

/**
 * A page of its own, and everything that it or the browser complained of.
 * @param {import("playwright-core").Browser} browser
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function newPage(browser, options) {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(WAIT_MS);
  /** @type {string[]} */
  const complaints = [];
  page.on("console", (message) => {
    // Pages ask whether there is a demo; that there is none is no mistake of theirs.
    if (message.location().url.endsWith("/v1/demo")) return;
    if (["error", "warning"].includes(message.type())) complaints.push(`${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => console.error(`${event.violatedDirective}: ${event.blockedURI}`));
  });
  return { page, complaints };
}

/**
 * Waits until the link of the page is in this state.
 * @param {import("playwright-core").Page} page
 * @param {string} state
 */
export async function link(page, state) {
  await page.waitForSelector(`#link-state[data-state="${state}"]`);
}

/**
 * @param {string} script
 * @returns {Promise<{ code: number, output: string, errors: string }>}
 */
export function bash(script) {
  return new Promise((resolve) => {
    execFile("bash", ["-c", script], { timeout: WAIT_MS }, (error, output, errors) => {
      resolve({ code: error ? Number(error.code) : 0, output, errors });
    });
  });
}
