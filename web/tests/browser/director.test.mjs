// The director's page in a real browser, over an address of a hall's network, with the real program behind it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Way } from "../client/way.mjs";
import { flaws, launch, link, newPage, skip } from "./browser.mjs";
import { Server } from "./server.mjs";

/** @typedef {import("playwright-core").Page} Page */

const FILE = fileURLToPath(new URL("../../../tests/data/kg-multidiv-36.openlifter", import.meta.url));
const RESULTS = fileURLToPath(new URL("../../../tests/data/kg-multidiv-36.opl.csv", import.meta.url));
const PASSWORD = "chalk and collars";
const EVIL = "<img src=x onerror=alert(1)>";
const slow = { skip, timeout: 120000 };

const server = new Server();
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  if (!skip) [browser] = await Promise.all([launch("--host-resolver-rules=MAP hall.test 127.0.0.1"), server.start()]);
});

after(async () => {
  await browser?.close();
  await server.remove();
});

const address = () => `${server.origin.replace("127.0.0.1", "hall.test")}/`;

/** A browser of its own on the page. */
async function newDirector() {
  const { page, complaints } = await newPage(browser);
  page.setDefaultTimeout(30000);
  await page.goto(address());
  await page.waitForSelector("#door:not([hidden])");
  return { page, complaints };
}

/** @param {Page} page @param {{ name?: string, file?: string }} [options] */
async function create(page, { name = "Spring Open", file } = {}) {
  await page.fill("#create [name=meetName]", name);
  await page.fill("#create [name=password]", PASSWORD);
  if (file) await page.setInputFiles("#create [name=file]", file);
  await page.click("#create [type=submit]");
  await link(page, "live");
  return (await page.innerText("#meet-id")).replaceAll("-", "");
}

/** @param {Page} page @param {string} selector @param {string | number} text */
const shows = (page, selector, text) =>
  page.waitForFunction(([where, wanted]) => /** @type {any} */ (document.querySelector(where))?.innerText.includes(wanted), [selector, String(text)]);

/** A session for a script. @param {string} meet @param {string} locationName */
async function join(meet, locationName) {
  const { sessionToken } = await server.send("POST", `/v1/meets/${meet}/sessions`, { body: { password: PASSWORD, locationName } });
  return sessionToken;
}

/** @param {string} meet @param {string} token @param {string} updateKey @param {unknown} updateValue @param {number} [afterServerSeqNum] */
const push = (meet, token, updateKey, updateValue, afterServerSeqNum) =>
  server.send("POST", `/v1/meets/${meet}/updates`, { token, body: { updates: [{ updateKey, updateValue, afterServerSeqNum }] } });

/** An edit as another tab of the same browser makes it. @param {Page} page @param {string} key @param {unknown} value */
const edit = (page, key, value) =>
  page.evaluate(async ([at, what]) => {
    const { openMeet, savedMeets } = await import(`${location.origin}/web/client/liftrelay.js`);
    const tab = await openMeet((await savedMeets())[0]);
    await tab.push([{ key: at, value: what }]);
  }, /** @type {[string, any]} */ ([key, value]));

/** Complaints but for the answers that a test asked for. @param {string[]} complaints @param {RegExp} [expected] */
const others = (complaints, expected = /^$/) => complaints.filter((text) => !expected.test(text));

test("a bookmark of where the page was leads to it, with its meet", slow, async () => {
  const { page } = await newPage(browser);
  await page.goto(`${server.origin}/director#meet=123456789&location=desk`);
  await shows(page, "#open .said", "password");
  assert.equal(new URL(page.url()).pathname, "/");
  assert.equal(await page.inputValue("#open [name=meetId]"), "123-456-789");
  assert.ok(await page.isHidden("#demo"), "no demo meet is on");
  await page.close();
});

test("a meet is made of an OpenLifter file, and a reload goes on with it", slow, async () => {
  const { page, complaints } = await newDirector();
  assert.equal(await page.evaluate(() => isSecureContext), false);
  const meet = await create(page, { name: EVIL, file: FILE });
  assert.match(await page.innerText("#meet-id"), /^\d{3}-\d{3}-\d{3}$/);
  await page.waitForFunction(() => Number(document.getElementById("number")?.textContent) > 36);
  const { state } = await server.send("GET", `/v1/meets/${meet}/state`, { token: await join(meet, "platform 1") });
  assert.equal(Object.keys(state.registration.entries).length, 36);
  assert.ok(state.meet.name !== undefined && !("nextEntryId" in state.registration) && !("lifting" in state));
  await page.reload();
  await link(page, "live");
  assert.equal((await page.innerText("#meet-id")).replaceAll("-", ""), meet);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("what is no OpenLifter file makes no meet", slow, async () => {
  const { page } = await newDirector();
  const asked = /** @type {string[]} */ ([]);
  page.on("request", (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`));
  await page.fill("#create [name=meetName]", "Spring Open");
  await page.fill("#create [name=password]", PASSWORD);
  for (const [text, said] of [["{", "not JSON"], ["{}", "no meet"], ['{"meet":{},"registration":{"entries":[{}]}}', "has no id"]]) {
    await page.setInputFiles("#create [name=file]", { name: "a.openlifter", mimeType: "application/json", buffer: Buffer.from(text) });
    await page.click("#create [type=submit]");
    await shows(page, "#create .said", said);
  }
  await page.fill("#create [name=password]", "too short");
  await page.setInputFiles("#create [name=file]", []);
  await page.click("#create [type=submit]");
  assert.equal(await page.evaluate(() => document.querySelectorAll("#create [name=password]:invalid").length), 1);
  assert.deepEqual(asked.filter((one) => one.startsWith("POST")), []);
  await page.close();
});

test("a meet is opened by id, password and location; both see each other", slow, async () => {
  const { page: first } = await newDirector();
  const meet = await create(first, { name: EVIL });
  assert.equal(await first.innerText("#meet-name"), EVIL);
  const { page: second, complaints } = await newDirector();
  await second.fill("#open [name=meetId]", meet.replace(/(...)(...)/, "$1 $2 "));
  await second.fill("#open [name=password]", "not the password");
  await second.fill("#open [name=locationName]", "platform 1");
  await second.press("#open [name=locationName]", "Enter");
  await second.waitForSelector("#open .said.bad >> text=do not go together");
  await second.fill("#open [name=password]", PASSWORD);
  await second.press("#open [name=password]", "Enter");
  await link(second, "live");
  await shows(second, "#here", "platform 1 (20)");
  await second.waitForFunction(() => [...document.querySelectorAll("#locations tbody tr")].filter((row) => row.textContent?.includes("online")).length === 2);
  await shows(second, "#locations", "not yet here");
  assert.deepEqual(others(complaints, /403/), []);
  await Promise.all([first.close(), second.close()]);
});

test("a meet that this browser does not have takes the password", slow, async () => {
  const { page } = await newDirector();
  await create(page);
  await page.click("#leave");
  await page.waitForSelector("#door:not([hidden])");
  assert.ok(await page.isHidden("#saved"), "what was left is forgotten");
  await page.goto(`${address()}?again#meet=123456789&location=desk`);
  await shows(page, "#open .said", "password");
  assert.equal(await page.inputValue("#open [name=meetId]"), "123-456-789");
  assert.equal(await page.inputValue("#open [name=locationName]"), "desk");
  await page.close();
});

/**
 * Has edits of this browser refused, as another of its tabs may have made them: the platform was faster while the way was cut.
 * @param {Page} page @param {Way} way
 */
async function refused(page, way) {
  await page.goto(`${way.origin.replace("127.0.0.1", "hall.test")}/web/director/page.html`);
  await page.waitForSelector("#create");
  await page.fill(".location-row:nth-child(1) input[type=number]", "1");
  const meet = await create(page);
  const token = await join(meet, "platform 1");
  await push(meet, token, "registration.entries[5000]", { id: 5000, name: EVIL, squatKg: [100, 0, 0, 0, 0] });
  await page.waitForFunction(() => document.getElementById("number")?.textContent === "1");
  way.intercept = (_, response) => Boolean(response.destroy());
  way.upgrades = false;
  way.cut();
  await page.waitForFunction(() => document.getElementById("link-text")?.textContent?.startsWith("reconnecting"));
  await edit(page, "registration.entries[5000].squatKg[0]", 150);
  await edit(page, "registration.entries[5000].squatKg[1]", 160);
  await shows(page, "#pending", 2);
  await push(meet, token, "registration.entries[5000].squatKg", [123.5, 133.5, 0, 0, 0]);
  way.intercept = () => false;
  way.upgrades = true;
  return { meet, token };
}

test("a refused edit shows both values, and is retried or dropped", slow, async () => {
  const way = await new Way(server.origin).start();
  const { page } = await newPage(browser);
  page.setDefaultTimeout(60000);
  try {
    const { meet, token } = await refused(page, way);
    await page.waitForFunction(() => document.querySelectorAll("#conflicts > li").length === 2);
    for (const text of ["150", "123.5", "platform 1 (20)", EVIL]) await shows(page, "#conflicts > li:first-child", text);
    await page.click("#conflicts > li:first-child >> text=Retry");
    await page.waitForFunction(() => document.querySelectorAll("#conflicts > li").length === 1);
    assert.equal(await page.evaluate(() => document.activeElement?.id), "conflicts-title");
    await page.click("#conflicts >> text=Drop");
    await page.waitForSelector("#no-conflicts:not([hidden])");
    await page.waitForFunction(() => document.getElementById("pending")?.textContent === "0");
    const { state } = await server.send("GET", `/v1/meets/${meet}/state`, { token });
    assert.deepEqual(state.registration.entries[5000].squatKg, [150, 133.5, 0, 0, 0]);
  } finally {
    await page.close();
    await way.stop();
  }
});

test("the log is live, is searched, and leads back in time", slow, async () => {
  const { page, complaints } = await newDirector();
  const meet = await create(page, { file: FILE });
  const token = await join(meet, "platform 1");
  await page.waitForFunction(() => Number(document.getElementById("log-count")?.textContent) > 36);
  const imported = Number(await page.innerText("#log-count"));
  await push(meet, token, "registration.entries[7000]", { id: 7000, name: EVIL, sex: "F", squatKg: [91.5, 0, 0, 0, 0], squatStatus: [0, 0, 0, 0, 0] });
  await push(meet, token, "registration.entries[7000].squatKg[0]", 93.5);
  await shows(page, "#log > li:first-child", "93.5");
  await shows(page, "#log > li:first-child", EVIL);
  await shows(page, "#log > li:first-child", "platform 1 (20)");
  await page.fill("#search [name=words]", "ONERROR squatkg");
  await shows(page, "#log-said", `2 of ${imported + 2}`);
  await page.fill("#search [name=words]", "no such thing");
  await page.waitForFunction(() => document.querySelectorAll("#log > li").length === 0);
  await page.fill("#search [name=words]", "");
  await page.click(`[aria-label="The meet as of update ${imported + 1}"]`);
  await shows(page, "#past-title", `As of update ${imported + 1},`);
  const cell = `#board tbody tr:has-text("onerror") [data-attempt="squat-0"]`;
  assert.equal(await page.innerText(cell), "91.5");
  await page.fill("#travel [name=at]", String(imported + 2));
  await page.press("#travel [name=at]", "Enter");
  await shows(page, "#past-title", `As of update ${imported + 2},`);
  assert.equal(await page.innerText(cell), "93.5");
  await page.press("#travel [name=range]", "Home");
  await page.waitForSelector("#past-empty:not([hidden])");
  await shows(page, "#past-title", "As of update 0");
  assert.deepEqual(complaints, []);
  await page.close();
});

test("state and log are files to keep", slow, async () => {
  const { page } = await newDirector();
  const meet = await create(page);
  const token = await join(meet, "platform 1");
  await push(meet, token, "registration.entries[5000]", { id: 5000, name: EVIL });
  await push(meet, token, "registration.entries[5000].name", "Ada Ashdown");
  await shows(page, "#log-count", 2);
  const saved = async (/** @type {string} */ button) => {
    const [file] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
    return { name: file.suggestedFilename(), text: await readFile(await file.path(), "utf8") };
  };
  const state = await saved("#save-state");
  assert.equal(state.name, `meet-${meet}-state-2.json`);
  assert.deepEqual(JSON.parse(state.text), (await server.send("GET", `/v1/meets/${meet}/state`, { token })).state);
  const log = await saved("#save-log");
  assert.equal(log.name, `meet-${meet}-log-2.jsonl`);
  const { updatesRelayed } = await server.send("GET", `/v1/meets/${meet}/updates`, { token });
  assert.deepEqual(log.text.trimEnd().split("\n").map((line) => JSON.parse(line)), updatesRelayed);
  await page.click('[aria-label="The meet as of update 1"]');
  await page.waitForSelector("#past:not([hidden])");
  assert.equal(JSON.parse((await saved("#save-past")).text).registration.entries[5000].name, EVIL);
  await page.close();
});

test("results are computed, saved as a file, and published as that", slow, async () => {
  const { page, complaints } = await newDirector();
  const meet = await create(page, { file: FILE });
  await page.waitForFunction(() => Number(document.getElementById("number")?.textContent) > 36);
  const [file] = await Promise.all([page.waitForEvent("download"), page.click("#save-results")]);
  assert.match(file.suggestedFilename(), new RegExp(`^meet-${meet}-results-\\d+\\.opl\\.csv$`));
  const lines = (await readFile(await file.path(), "utf8")).split("\n");
  assert.equal(lines.length, (await readFile(RESULTS, "utf8")).split("\n").length);
  assert.match(lines[6], /^1,Ada Ashdown,F,21,USA,FL,Sleeves,F_JR_A,105,110,-120,,110,/);
  await page.setInputFiles("#publish [name=file]", await file.path());
  await page.fill("#publish [name=returnEmail]", "director@example.org");
  await page.press("#publish [name=returnEmail]", "Enter");
  await shows(page, "#publishes > li", "handed over");
  await shows(page, "#publishes > li", "36 lifters");
  assert.deepEqual(complaints, []);
  await page.close();
});

test("results say that they are not final while somebody has attempts left", slow, async () => {
  const { page } = await newDirector();
  const meet = await create(page);
  const token = await join(meet, "platform 1");
  const entry = (/** @type {object} */ attempts) => ({ name: "Ada Ashdown", events: ["B"], divisions: ["Open"], ...attempts });
  assert.ok(await page.isHidden("#not-over"), "nobody is there yet");
  await push(meet, token, "registration.entries[1]", entry({ id: 1, benchKg: [60, 65, 70, 0, 0], benchStatus: [1, -1, 1, 0, 0] }));
  await push(meet, token, "registration.entries[2]", entry({ id: 2, benchKg: [60, 65, 0, 0, 0], benchStatus: [-1, 0, 0, 0, 0] }));
  await shows(page, "#not-over", "1 of 2 lifters have attempts left");
  await push(meet, token, "registration.entries[2]", entry({ id: 2, benchKg: [60, 65, 65, 0, 0], benchStatus: [-1, -1, -1, 0, 0] }));
  await page.waitForSelector("#not-over", { state: "hidden" });
  // Whoever finishes the meet has decided that the open attempts were passed.
  await push(meet, token, "registration.entries[2].benchStatus[2]", 0);
  await page.waitForSelector("#not-over:not([hidden])");
  await server.send("POST", `/v1/meets/${meet}/finish`, { token });
  await page.waitForSelector("#not-over", { state: "hidden" });
  await page.close();
});

test("lifters are added by name, and called to the platform", slow, async () => {
  const { page, complaints } = await newDirector();
  const meet = await create(page);
  const token = await join(meet, "platform 1");
  const add = async (/** @type {string} */ name) => {
    await page.fill("#add-lifter [name=name]", name);
    await page.press("#add-lifter [name=name]", "Enter");
    await page.waitForFunction((wanted) => [...document.querySelectorAll("#call option")].some((one) => one.textContent === wanted), name);
  };
  await add(EVIL);
  await shows(page, "#called", EVIL);
  await add("Ada Ashdown");
  assert.equal(await page.innerText("#called"), EVIL, "the second one waits");
  await page.selectOption("#call [name=entry]", { label: "Ada Ashdown" });
  await page.click("#call [type=submit]");
  await shows(page, "#called", "Ada Ashdown");
  await page.waitForFunction(() => document.getElementById("pending")?.textContent === "0");
  const { state } = await server.send("GET", `/v1/meets/${meet}/state`, { token });
  const ada = Object.values(state.registration.entries).find(({ name }) => name === "Ada Ashdown");
  assert.deepEqual(state.display[1], { day: 1, flight: "A", lift: "S", currentEntryId: ada.id });
  assert.deepEqual(ada.squatKg, [0, 0, 0, 0, 0], "OpenLifter can go on with it");
  await page.click("#end-call");
  await shows(page, "#called", "nobody");
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a view key is made, opens an overlay, and is deleted", slow, async () => {
  const { page, complaints } = await newDirector();
  const meet = await create(page, { file: FILE });
  const token = await join(meet, "platform 1");
  // A meet that is made here has a key for overlays from the start.
  await shows(page, "#keys > li", "overlays");
  await page.fill("#new-key [name=label]", EVIL);
  await page.press("#new-key [name=label]", "Enter");
  await shows(page, "#keys > li", EVIL);
  const { page: overlay } = await newPage(browser);
  await overlay.goto(await page.inputValue("#keys input >> nth=0"));
  assert.equal(await overlay.inputValue("[name=meet]"), meet);
  await overlay.goto(await page.inputValue("#keys input >> nth=2"));
  await overlay.waitForFunction(() => document.querySelectorAll("#board tbody tr").length === 36);
  // Only the browser that made a key has its addresses, and only until it is closed.
  await page.reload();
  await shows(page, "#keys > li", EVIL);
  assert.equal(await page.locator("#keys input").count(), 0);
  const keys = async () => (await server.send("GET", `/v1/meets/${meet}/view-keys`, { token })).viewKeys.length;
  await page.click("#keys button");
  assert.equal(await keys(), 2, "one click deletes nothing");
  await page.click("#keys >> text=Delete for good");
  await page.waitForFunction(() => document.querySelectorAll("#keys > li").length === 1);
  assert.equal(await keys(), 1);
  assert.equal(await page.evaluate(() => document.activeElement?.id), "keys-title");
  await link(overlay, "refused");
  assert.deepEqual(complaints, []);
  await Promise.all([page.close(), overlay.close()]);
});

test("results are published, and what is wrong with a file is named", slow, async () => {
  const { page, complaints } = await newDirector();
  const meet = await create(page);
  await page.setInputFiles("#publish [name=file]", { name: "a.csv", mimeType: "text/csv", buffer: Buffer.from("Place,Name\n1,Ada\n") });
  await page.fill("#publish [name=returnEmail]", "director@example.org");
  await page.click("#publish [type=submit]");
  await shows(page, "#publish .said.bad", "line 1");
  await page.setInputFiles("#publish [name=file]", RESULTS);
  await page.press("#publish [name=returnEmail]", "Enter");
  await shows(page, "#publishes > li", "handed over");
  await shows(page, "#publishes > li", "director@example.org");
  const mail = new URL((await page.getAttribute("#publishes a", "href")) ?? "");
  assert.match(mail.searchParams.get("body") ?? "", /SHA-256/);
  const { publishes } = await server.send("GET", `/v1/meets/${meet}/publish`, { token: await join(meet, "platform 1") });
  assert.deepEqual(publishes.map((/** @type {any} */ one) => one.bytes), [(await readFile(RESULTS)).length]);
  assert.deepEqual(others(complaints, /422/), []);
  await page.close();
});

test("a meet is finished only by typing its id", slow, async () => {
  const { page, complaints } = await newDirector();
  const meet = await create(page);
  const token = await join(meet, "platform 1");
  const status = async () => (await server.send("GET", `/v1/meets/${meet}`, { token })).status;
  await page.fill("#finish [name=meetId]", meet.split("").reverse().join("").replace(/^0/, "1"));
  await page.press("#finish [name=meetId]", "Enter");
  await shows(page, "#finish .said.bad", "not the id of this meet");
  assert.equal(await status(), "live");
  await page.fill("#finish [name=meetId]", meet.replace(/(...)(...)/, "$1-$2-"));
  await page.press("#finish [name=meetId]", "Enter");
  await link(page, "finished");
  await page.waitForSelector("#finished:not([hidden])");
  assert.ok(await page.isHidden("#finish"));
  assert.equal(await status(), "finished");
  assert.deepEqual(complaints, []);
  await page.close();
});

test("an edit that others overrule later shows both values, until it was seen", slow, async () => {
  const { page } = await newDirector();
  await page.fill(".location-row:nth-child(1) input[type=number]", "1");
  const meet = await create(page);
  const token = await join(meet, "platform 1");
  await edit(page, "meet.name", "Autumn Open");
  await shows(page, "#meet-name", "Autumn Open");
  await page.waitForFunction(() => document.getElementById("number")?.textContent === "1");
  await push(meet, token, "meet.name", EVIL, 0);
  for (const text of ["meet.name", "Autumn Open", EVIL, "platform 1 (20)"]) await shows(page, "#overruled > li", text);
  await shows(page, "#conflicts-count", 1);
  await page.click("#overruled >> text=Seen");
  await shows(page, "#conflicts-count", 0);
  assert.equal(await page.innerText("#meet-name"), EVIL);
  await page.close();
});

test("a session that ends asks for the password again, and goes on", slow, async () => {
  const { page } = await newDirector();
  const [made] = await Promise.all([page.waitForResponse((response) => response.url().endsWith("/v1/meets")), create(page)]);
  const { sessionToken } = await made.json();
  const meet = (await page.innerText("#meet-id")).replaceAll("-", "");
  // With the password at hand the client would join again by itself.
  await page.reload();
  await link(page, "live");
  await server.send("DELETE", `/v1/meets/${meet}/session`, { token: sessionToken });
  await page.waitForSelector("#open .said.bad:not(:empty)");
  assert.equal((await page.inputValue("#open [name=meetId]")).replaceAll("-", ""), meet);
  await page.fill("#open [name=password]", PASSWORD);
  await page.press("#open [name=password]", "Enter");
  await link(page, "live");
  assert.equal((await page.innerText("#meet-id")).replaceAll("-", ""), meet);
  await page.close();
});

test("a meet is made by keyboard alone", slow, async () => {
  const { page } = await newDirector();
  const press = async (/** @type {string} */ key, /** @type {string} */ until) => {
    for (let pressed = 0; pressed < 60; pressed += 1) {
      if (await page.evaluate((selector) => document.activeElement?.matches(selector), until)) return;
      await page.keyboard.press(key);
    }
    assert.fail(`${key} does not lead to ${until}`);
  };
  await press("Tab", "#create [name=meetName]");
  await page.keyboard.type("Spring Open");
  await press("Tab", "#create [name=password]");
  await page.keyboard.type(PASSWORD);
  await press("Tab", ".location-row:nth-child(1) button");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "add-location");
  await page.keyboard.press("Enter");
  await page.keyboard.type("warm-up room");
  await press("Shift+Tab", ".location-row:nth-child(1) [type=radio]:checked");
  await page.keyboard.press("ArrowDown");
  await press("Tab", "#create [type=submit]");
  await page.keyboard.press("Enter");
  await link(page, "live");
  await shows(page, "#here", "weigh-in desk (10)");
  await shows(page, "#locations", "warm-up room");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "meet-name");
  await page.close();
});

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  test(`the page is legible and fits a phone, ${colorScheme}`, slow, async () => {
    const { page } = await newPage(browser, { colorScheme, viewport: { width: 360, height: 640 } });
    await page.goto(address());
    await page.waitForSelector("#create");
    await page.click("#open [type=submit]");
    assert.deepEqual((await page.evaluate(flaws)).found, []);
    const meet = await create(page, { name: "W".repeat(64), file: FILE });
    const token = await join(meet, "platform 1");
    await push(meet, token, "registration.entries[7000]", { id: 7000, name: "W".repeat(200), squatKg: [91.5, 0, 0, 0, 0] });
    await push(meet, token, "meet.name", "W".repeat(200));
    await page.fill("#new-key [name=label]", "W".repeat(64));
    await page.click("#new-key [type=submit]");
    await page.waitForSelector("#keys input");
    await page.fill("#finish [name=meetId]", "1");
    await page.click("#finish [type=submit]");
    await page.click("#log > li:first-child button");
    await page.waitForSelector("#past:not([hidden])");
    await page.waitForFunction(() => document.querySelectorAll("#locations tbody tr").length === 3);
    await page.mouse.move(0, 0);
    const { checked, found } = await page.evaluate(flaws);
    assert.ok(checked > 500, String(checked));
    assert.deepEqual(found, []);
    await page.close();
  });
}
