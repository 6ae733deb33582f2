// Everything that one laptop has open, three tabs of OpenLifter and ten overlays, on one origin of HTTP/1.1, which gives a browser six
// connections: all of it is live on one stream to edit and one to look.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Way } from "../client/way.mjs";
import { ELEMENTS } from "../../overlay/elements.js";
import { skip } from "./browser.mjs";
import { becomes, hall, newLifter, openLifter, shows, type } from "./standin.mjs";

/** @typedef {import("playwright-core").Page} Page */

const here = hall();
const password = "ten characters";
const locations = [{ locationName: "platform 1", priority: 1 }];
const OVERLAYS = Object.keys(ELEMENTS).slice(0, 9);

/** Streams and held requests that the server has open, by who has them and how. */
async function streams() {
  const text = await (await fetch(`${here.server.origin}/metrics`)).text();
  const lines = [...text.matchAll(/^liftrelay_streams\{transport="([a-z-]+)",role="([a-z]+)"\} ([1-9]\d*)$/gm)];
  return Object.fromEntries(lines.map(([, transport, role, count]) => [`${role} by ${transport}`, Number(count)]).sort());
}

/** Three tabs and ten overlays on a meet with one lifter. @param {string} origin */
async function laptop(origin) {
  const context = await here.context();
  const { page: first } = await openLifter(context, `${origin}/app/`);
  await newLifter(first, "Ada");
  const key = await first.evaluate(async (options) => {
    const meet = await (await liftrelayLive).goLive(options);
    await meet.push([{ key: "display[1]", value: { day: 1, platform: 1, flight: "A", lift: "S", attempt: 1, currentEntryId: 5000, order: [5000] } }]);
    const { viewKey } = await meet.call("POST", "/view-keys", { label: "overlays" });
    return `?meet=${meet.identity.meetId}#key=${viewKey}`;
  }, { password, locationName: "platform 1", locations });
  const tabs = [first, (await openLifter(context, `${origin}/app/`)).page, (await openLifter(context, `${origin}/app/`)).page];
  // What all of them show alike is asked of the last; each of the others stands for an element of its own.
  const overlays = await Promise.all([...OVERLAYS, "lower-third"].map(async (name) => {
    const page = await context.newPage();
    await page.goto(`${origin}/overlay/${name}${key.replace("#", "&debug=1#")}`);
    return page;
  }));
  return { tabs, overlays };
}

/** Waits until an overlay says that it is live and has this change. @param {Page} page @param {number} number */
const isLive = (page, number) =>
  page.waitForFunction((least) => Number(document.getElementById("debug")?.textContent?.match(/^link: up · update (\d+) /)?.[1]) >= least, number);

for (const [name, upgrades, transport] of /** @type {const} */ ([["WebSockets", true, "websocket"], ["HTTP/1.1 alone", false, "sse"]])) {
  test(`three tabs and ten overlays of one browser live on two streams, by ${name}`, { skip, timeout: 180_000 }, async (t) => {
    const way = Object.assign(await new Way(here.server.origin).start(), { upgrades });
    t.after(() => way.stop());
    const { tabs, overlays } = await laptop(way.origin);
    assert.equal(tabs.length + overlays.length, 13);
    for (const [turn, weight] of [100, 110, 120, 130, 140, 150, 160, 170, 180].entries()) {
      const place = turn % tabs.length;
      await type(tabs[place], `#squat-5000-${place}`, String(weight));
      for (const tab of tabs) await shows(tab, ({ registration }) => registration.entries[0].squatKg[place], weight);
      const number = await tabs[place].evaluate(async () => {
        const { meet } = await liftrelayLive;
        return meet.settled().then(() => meet.status.lastNumber);
      });
      await Promise.all(overlays.map((page) => isLive(page, number)));
    }
    // Until a stream has brought some changes in time, a held request stands beside it.
    await becomes(streams, { [`editor by ${transport}`]: 1, [`viewer by ${transport}`]: 1 });
  });
}
