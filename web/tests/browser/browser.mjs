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

/**
 * Texts that are hard to read, controls without a name, what sticks out to the right, and a page without one title. Runs in a page.
 * @param {string} [host] whose shadow is looked at, in place of the page
 */
export function flaws(host) {
  const channels = (/** @type {string} */ color) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (/** @type {number[]} */ [r, g, b]) => {
    const [x, y, z] = [r, g, b].map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (/** @type {Element | null} */ of) => {
    for (let at = of; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color[3] !== 0) return color;
    }
    return [255, 255, 255];
  };
  const isSeen = (/** @type {Element} */ one) => one.getClientRects().length > 0 && !one.classList.contains("unseen");
  const place = host ? /** @type {ShadowRoot} */ (document.querySelector(host)?.shadowRoot) : document.body;
  const all = [...place.querySelectorAll("*")].filter(isSeen);
  const hasText = (/** @type {Element} */ one) => one.matches("input, select") || [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim());
  const faint = all.filter(hasText).flatMap((one) => {
    if (one.matches(":disabled")) return [];
    const parts = one.matches("[placeholder]") ? [undefined, "::placeholder"] : [undefined];
    return parts.flatMap((part) => {
      const [light, dark] = [channels(getComputedStyle(one, part).color), ground(one)].map(luminance).sort((a, b) => b - a);
      const ratio = (light + 0.05) / (dark + 0.05);
      return ratio < 4.5 ? [`${one.tagName}.${one.className}${part ?? ""} ${one.textContent}: ${ratio.toFixed(2)}`] : [];
    });
  });
  const controls = /** @type {HTMLInputElement[]} */ (all.filter((one) => one.matches("input, select, button, a[href]")));
  const nameless = controls.filter((one) => !one.getAttribute("aria-label") && !one.labels?.length && !one.textContent?.trim()).map((one) => one.outerHTML);
  const wide = [document.documentElement, ...all.filter((one) => one.matches("dialog"))].filter((one) => one.scrollWidth > one.clientWidth);
  const sticksOut = wide.map((one) => `${one.tagName}: ${one.scrollWidth} px wide`);
  const titles = all.filter((one) => one.matches("h1")).length;
  const untitled = host || titles === 1 ? [] : [`${titles} titles of the page`];
  return { checked: all.length, found: [...faint, ...nameless, ...sticksOut, ...untitled] };
}
