// Every overlay of a meet with its address. The key that this page's own address has stays in fragments.

import { element } from "../board.js";
import { copyText } from "../copy.js";
import { download } from "../save.js";
import { correction, generate } from "../vendor/lean-qr.mjs";
import { ELEMENTS } from "./elements.js";
import { sceneCollection, shell } from "./files.js";
import { LANGUAGES, readParams, THEMES, UNITS } from "./params.js";

/** @typedef {{ name: string, frame: HTMLIFrameElement, address: HTMLInputElement, code: HTMLCanvasElement }} Item */

const TYPED_MS = 400;
const SAID_MS = 2000;
const NAMES = [...Object.keys(ELEMENTS), "all"];

const form = /** @type {HTMLFormElement} */ (document.getElementById("choices"));
const which = /** @type {HTMLElement} */ (document.getElementById("which"));
const field = (/** @type {string} */ name) => /** @type {HTMLInputElement | HTMLSelectElement} */ (form.elements.namedItem(name));
let timer = 0;

for (const [name, choices] of Object.entries({ lang: LANGUAGES, units: UNITS, theme: THEMES })) {
  field(name).append(...choices.map((choice) => new Option(choice, choice)));
}
const query = new URLSearchParams(location.search);
for (const name of ["meet", "platform", "lang", "units", "theme", "delay"]) if (query.has(name)) field(name).value = query.get(name) ?? "";
field("key").value = new URLSearchParams(location.hash.slice(1)).get("key") ?? "";

const items = NAMES.map(newItem);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(show, TYPED_MS);
});
document.getElementById("scenes")?.addEventListener("click", () => {
  const overlays = items.map(({ name, address }) => ({ name, address: address.value }));
  download("liftrelay-obs.json", "application/json", sceneCollection(overlays));
});
show();

/**
 * @param {string} name
 * @returns {Item}
 */
function newItem(name) {
  const frame = element("iframe", { title: `Preview of ${name}` });
  frame.loading = "lazy";
  const address = element("input", { className: "address" });
  address.readOnly = true;
  address.setAttribute("aria-label", `Address of ${name}`);
  const code = element("canvas");
  code.setAttribute("aria-label", `QR code of the address of ${name}`);
  const file = element("button", { text: "Local file" });
  file.type = "button";
  file.title = "A file for OBS that waits for the server";
  file.addEventListener("click", () => download(`liftrelay-${name}.html`, "text/html", shell(address.value)));
  const codeBox = element("details", {}, element("summary", { text: "QR code" }), code);
  const actions = element("div", { className: "actions" }, copyButton(name, address), file, codeBox);
  const head = element("h2", {}, `${name} `, element("span", { className: "size", text: "1920 × 1080" }));
  const item = element("li", {}, head, element("div", { className: "preview" }, frame), address, actions);
  item.dataset.overlay = name;
  document.getElementById("overlays")?.append(item);
  return { name, frame, address, code };
}

/**
 * @param {string} name
 * @param {HTMLInputElement} address
 */
function copyButton(name, address) {
  const button = element("button", { text: "Copy" });
  button.type = "button";
  button.setAttribute("aria-label", `Copy the address of ${name}`);
  button.addEventListener("click", async () => {
    const copied = await copyText(address.value, button);
    if (!copied) address.select();
    button.textContent = copied ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (button.textContent = "Copy"), SAID_MS);
  });
  return button;
}

/** What the form says, in every address; the built-in demo, until it names a meet and a key. */
function show() {
  const chosen = new URLSearchParams();
  const usual = { lang: "en", platform: "1", delay: "0" };
  for (const name of ["platform", "lang", "units", "theme", "delay"]) {
    const value = field(name).value.trim();
    if (value !== "" && value !== /** @type {Record<string, string>} */ (usual)[name]) chosen.set(name, value);
  }
  const { meet, key } = readParams(`?${new URLSearchParams({ meet: field("meet").value })}`, `key=${encodeURIComponent(field("key").value)}`);
  const isWhole = meet !== "" && key !== "";
  if (isWhole) chosen.set("meet", meet);
  else chosen.set("demo", "1");
  which.textContent = isWhole
    ? "These addresses open the meet to whoever has them; delete the view key to close them."
    : "This is the built-in demo. Give the meet’s nine digits and a view key (lrv_…) for addresses of your own meet.";
  for (const item of items) update(item, `${location.origin}/overlay/${item.name}?${chosen}${isWhole ? `#key=${key}` : ""}`);
}

/**
 * @param {Item} item
 * @param {string} address
 */
function update({ frame, address: field, code }, address) {
  if (field.value === address) return;
  field.value = address;
  frame.src = address;
  generate(address, { minCorrectionLevel: correction.M }).toCanvas(code, { on: [0, 0, 0, 255], off: [255, 255, 255, 255], pad: 4 });
}
