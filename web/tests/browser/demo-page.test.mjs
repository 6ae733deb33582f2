// The page of the demo in a real browser, with the real program behind it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { bash, flaws, launch, link, newPage, skip } from "./browser.mjs";
import { Server } from "./server.mjs";

const LIFTERS = 34;
const CURL_TIMED_OUT = 28;
const TRIES = 3;

/** What each line for the demo brings, by its title. @type {Record<string, string[]>} */
const BROUGHT = {
  "Stream, server-sent events": ["HELLO", "STATE"],
  "Stream, one JSON object per line": ["HELLO", "STATE"],
  State: ["STATE"],
  "One value of it": ["STATE"],
  "Long-poll": ["UPDATE_RELAY"],
  "This lap's meet by its own address": ["MEET_INFO"],
};

const demo = new Server("--demo", "--demo-speed", "20");
const plain = new Server();
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  if (!skip) [browser] = await Promise.all([launch(), demo.start(), plain.start()]);
});

after(async () => {
  await browser?.close();
  await Promise.all([demo.remove(), plain.remove()]);
});

const count = (/** @type {import("playwright-core").Page} */ page) => page.locator("#board tbody tr").count();
const filled = (/** @type {import("playwright-core").Page} */ page) =>
  page.waitForFunction((lifters) => document.querySelectorAll("#board tbody tr").length === lifters, LIFTERS);

/**
 * The lines that a list on the page offers.
 * @param {import("playwright-core").Page} page
 * @param {string} list
 */
function linesIn(page, list) {
  return page.$$eval(`#${list} > li`, (items) =>
    items.map((item) => ({ title: item.querySelector("h3")?.textContent ?? "", command: item.querySelector("code")?.textContent ?? "" })),
  );
}

/** Messages in the output of curl: JSON texts, lines of them, or server-sent events. */
function messagesIn(/** @type {string} */ output) {
  const lines = output.split("\n").map((line) => line.replace(/^data: ?/, ""));
  return lines.filter((line) => line.startsWith("{")).flatMap((line) => {
    try {
      return [JSON.parse(line)];
    } catch {
      // curl was stopped in the middle of it.
      return [];
    }
  });
}

test("the address that the server prints leads to the demo", { skip }, async () => {
  const { page, complaints } = await newPage(browser);
  await page.goto(demo.origin);
  await page.click("text=Watch the demo meet");
  await filled(page);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("the board of the demo fills and moves without a reload", { skip }, async () => {
  const { page, complaints } = await newPage(browser);
  await page.goto(`${demo.origin}/demo`);
  await filled(page);
  await link(page, "live");
  await page.evaluate(() => Object.assign(window, { stayed: true }));
  const attempts = () => page.locator("#board tbody").innerText();
  const number = () => page.locator("#seq-num").innerText();
  const [first, firstNumber] = [await attempts(), await number()];
  await page.waitForFunction((text) => document.querySelector("#board tbody")?.innerText !== text, first);
  await page.waitForFunction((text) => document.querySelector("#seq-num")?.textContent !== text, firstNumber);
  await page.waitForFunction(() => {
    const [at, head] = ["seq-num", "head-seq-num"].map((id) => Number(document.getElementById(id)?.textContent));
    return at > 0 && at === head;
  });
  await page.waitForSelector("#board .attempt.good");
  await page.waitForSelector("#feed td");
  assert.ok(await page.evaluate(() => "stayed" in window), "the page was not loaded again");
  assert.deepEqual(complaints, []);
  await page.close();
});

test("the page goes on with the next lap", { skip }, async () => {
  const fast = new Server("--demo", "--demo-speed", "200");
  const { page, complaints } = await newPage(browser);
  // A lap takes seconds, and on a busy machine many of them.
  page.setDefaultTimeout(60000);
  try {
    await fast.start();
    await page.goto(`${fast.origin}/demo`);
    await link(page, "live");
    const key = async () => (await linesIn(page, "demo-lines")).at(-1)?.command;
    const [meet, first] = [await page.locator("#meet-id").innerText(), await key()];
    await page.waitForFunction((before) => document.getElementById("meet-id")?.textContent !== before, meet);
    await page.waitForFunction((before) => document.querySelector("#demo-lines > li:last-child code")?.textContent !== before, first);
    await page.waitForSelector("#board tbody tr");
    assert.deepEqual(complaints, []);
  } finally {
    await page.close();
    await fast.remove();
  }
});

test("the curl lines for the demo work as they stand", { skip }, async () => {
  const { page } = await newPage(browser);
  await page.goto(`${demo.origin}/demo`);
  await filled(page);
  const run = async (/** @type {{ title: string, command: string }} */ { title, command }) => {
    const isStream = title.startsWith("Stream");
    const { code, output } = await bash(isStream ? `${command} --silent --max-time 1` : command);
    const types = messagesIn(output).map((message) => message.msgType);
    const wanted = BROUGHT[title];
    const works = code === (isStream ? CURL_TIMED_OUT : 0) && types.slice(0, wanted.length).join() === wanted.join();
    return works ? "" : `${title}: ${code} ${output.slice(0, 400)}`;
  };
  // A lap may end between reading a line and running it.
  let failed = ["never ran"];
  for (let tried = 0; tried < TRIES && failed.length > 0; tried += 1) {
    const lines = await linesIn(page, "demo-lines");
    assert.deepEqual(lines.map((line) => line.title), Object.keys(BROUGHT));
    failed = (await Promise.all(lines.map(run))).filter((text) => text !== "");
  }
  assert.deepEqual(failed, []);
  await page.close();
});

test("the page outlives its server", { skip }, async () => {
  const { page, complaints } = await newPage(browser);
  await page.goto(`${demo.origin}/demo`);
  await filled(page);
  const meet = await page.locator("#meet-id").innerText();
  await demo.kill();
  await link(page, "reconnecting");
  assert.ok((await count(page)) > 0, "the board stays meanwhile");
  await demo.start();
  await link(page, "live");
  await page.waitForFunction((before) => document.getElementById("meet-id")?.textContent !== before, meet);
  await filled(page);
  const isOfTheGap = /ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)/;
  const others = complaints.filter((text) => !isOfTheGap.test(text));
  assert.deepEqual(others, []);
  await page.close();
});

test("without a demo the page shows first steps, and they work in order", { skip }, async () => {
  const { page, complaints } = await newPage(browser);
  await page.goto(`${plain.origin}/demo`);
  await page.waitForSelector("#first-steps:not([hidden])");
  assert.ok(await page.locator("#demo").isHidden());
  const lines = (await linesIn(page, "meet-lines")).map((line) => line.command);
  const push = lines.find((line) => line.includes("updateKey")) ?? "";
  const stream = lines.pop();
  // As the stream's note says: push again, watch it arrive, end it. What it prints goes elsewhere, or it would mix with the answer.
  const script = [...lines, `exec 3>&1 >&2\n${stream}\nexec >&3`, "sleep 1", push, "sleep 1", "kill %1"].join("\necho\n");
  const { code, output, errors } = await bash(script);
  assert.equal(code, 0, output + errors);
  const types = (/** @type {string} */ text) => messagesIn(text).map((message) => message.msgType);
  assert.deepEqual(types(output), ["MEET_CREATED", "MEET_JOINED", "UPDATE_RESULT", "UPDATE_RELAY", "UPDATE_RESULT"]);
  assert.deepEqual(types(errors), ["HELLO", "STATE", "UPDATE_RELAY"]);
  assert.deepEqual(complaints, []);
  await page.close();
});

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  test(`the page is legible and fits a phone, ${colorScheme}`, { skip }, async () => {
    const { page } = await newPage(browser, { colorScheme, viewport: { width: 360, height: 640 } });
    await page.goto(`${demo.origin}/demo`);
    await filled(page);
    await page.waitForSelector("#board .attempt.good");
    await page.waitForSelector("#feed td");
    const { checked, found } = await page.evaluate(flaws);
    assert.ok(checked > 500, String(checked));
    assert.deepEqual(found, []);
    await page.goto(`${plain.origin}/demo`);
    await page.waitForSelector("#first-steps:not([hidden])");
    assert.deepEqual((await page.evaluate(flaws)).found, []);
    await page.close();
  });
}
