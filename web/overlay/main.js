// One overlay: what its address says, drawn from what its meet says. Nothing that goes wrong is ever put on air.

import { here } from "../client/clock.js";
import { elementOf, isElement } from "./elements.js";
import { Link } from "./link.js";
import { colourOf, oneOf, readParams, THEMES } from "./params.js";
import { paint, box } from "./tree.js";
import { View } from "./view.js";
import { nextChange } from "./wake.js";
import { loadWords } from "./words.js";

/** @typedef {import("./tree.js").Tree} Tree */
/** @typedef {{ element: string, pos: string }} Shown */

/** So long nothing may come before a dot says so. */
const PATIENCE_MS = 10_000;

const params = readParams(location.search, location.hash);
const stage = /** @type {HTMLElement} */ (document.getElementById("stage"));
const dot = /** @type {HTMLElement} */ (document.getElementById("dot"));
const debug = /** @type {HTMLElement} */ (document.getElementById("debug"));
const theme = /** @type {HTMLLinkElement} */ (document.getElementById("theme"));
const root = document.documentElement;

const shown = shownElements();
const words = await loadWords(params.lang);
const link = new Link(params, askDraw);
let asked = false;
let timer = 0;

root.lang = params.lang;
root.dataset.motion = params.motion ? "on" : "off";
root.style.setProperty("--lr-scale", String(params.scale));
self.addEventListener("hashchange", () => location.reload());
start();

function start() {
  draw();
  if (!params.demo) return link.open();
  link.linked("up", "");
  void import("./demo.js").then(({ startDemo }) => startDemo((meet, number) => link.show(meet, number)));
}

/** @returns {Shown[]} */
function shownElements() {
  const name = location.pathname.split("/").pop() ?? "";
  if (name !== "all") return [{ element: name, pos: params.pos }];
  return params.show.filter(({ element }) => isElement(element));
}

/** Several changes at once are drawn once. */
function askDraw() {
  if (asked) return;
  asked = true;
  queueMicrotask(draw);
}

function draw() {
  asked = false;
  clearTimeout(timer);
  const view = new View(link.meet, params, words, link.serverNow);
  dress(view);
  paint(stage, zones(view));
  const lostMs = link.lostAt === null ? 0 : here() - link.lostAt;
  if (dot.hidden !== lostMs < PATIENCE_MS) dot.hidden = lostMs < PATIENCE_MS;
  if (params.debug) explain();
  const dotIn = link.lostAt !== null && lostMs < PATIENCE_MS ? PATIENCE_MS - lostMs : Infinity;
  timer = setTimeout(draw, Math.min(nextChange(view), dotIn, params.debug ? 1000 : 60_000));
}

/** @param {View} view */
function dress(view) {
  const name = params.theme || oneOf(THEMES, view.setting("theme")) || THEMES[0];
  const address = `/web/overlay/themes/${name}.css`;
  if (theme.getAttribute("href") !== address) theme.href = address;
  const accent = params.accent || colourOf(view.setting("accent"));
  if (root.style.getPropertyValue("--lr-accent") !== accent) root.style.setProperty("--lr-accent", accent);
}

/**
 * The elements by their places on the screen.
 * @param {View} view
 */
function zones(view) {
  /** @type {Map<string, Tree[]>} */
  const zones = new Map();
  for (const { element, pos } of shown) {
    const { usual, draw } = elementOf(element);
    const inside = draw(view);
    const zone = pos || usual;
    if (inside.length > 0) zones.set(zone, [...(zones.get(zone) ?? []), box(`lr lr-${element}`, inside, { tag: "section", key: element })]);
  }
  return [...zones].map(([pos, elements]) => box("lr-zone", elements, { key: pos, data: { pos } }));
}

/** For whoever sets an overlay up. */
function explain() {
  const { state, why, number, aheadMs } = link;
  const text = [`link: ${state}${why && ` (${why})`}`, `update ${number}`, `server clock ${Math.round(aheadMs)} ms ahead`].join(" · ");
  if (debug.textContent !== text) debug.textContent = text;
  debug.hidden = false;
}
