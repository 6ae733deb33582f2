// What people do in the Live (Advanced) tab.

/** @typedef {import("playwright-core").Page} Page */

export const PASSWORD = "ten characters";

/** Waits until a part of the panel says this. @param {Page} page @param {string} part @param {string | RegExp} text */
export const says = (page, part, text) => page.locator(part).filter({ hasText: text }).first().waitFor();

/** @param {Page} page */
export const openPanel = (page) => page.click(".liftrelay-entry, .corner button");

/** @param {Page} page */
export const closePanel = (page) => page.click("#close");

/** @param {Page} page @param {string} [password] */
export async function goLive(page, password = PASSWORD) {
  await openPanel(page);
  await page.fill("#go-live [name=password]", password);
  await page.click("#go-live [type=submit]");
}

/** Fills in and sends; the question comes next. @param {Page} page @param {string} meetId @param {{ password?: string, locationName?: string }} [as] */
export async function askToJoin(page, meetId, { password = PASSWORD, locationName = "weigh-in desk" } = {}) {
  await page.fill("#join [name=meetId]", meetId);
  await page.fill("#join [name=password]", password);
  await page.fill("#join [name=locationName]", locationName);
  await page.click("#join [type=submit]");
}

/** @param {Page} page @param {string} meetId @param {{ password?: string, locationName?: string }} [as] */
export async function join(page, meetId, as) {
  await askToJoin(page, meetId, as);
  await page.click("text=Join and replace");
}
