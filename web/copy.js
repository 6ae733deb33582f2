// Commands with a button each that copies them.

import { element } from "./board.js";

/** @typedef {import("./curl-lines.js").CurlLine} CurlLine */

const SAID_MS = 2000;

/**
 * @param {HTMLElement} list
 * @param {CurlLine[]} lines
 */
export function showLines(list, lines) {
  const wanted = JSON.stringify(lines);
  if (list.dataset.shown === wanted) return;
  list.dataset.shown = wanted;
  list.replaceChildren(...lines.map(lineItem));
}

/** @param {CurlLine} line */
function lineItem({ title, note, command }) {
  const code = element("code", { text: command });
  const said = element("span", { text: "Copy" });
  const button = element("button", {}, said, element("span", { className: "unseen", text: `: ${title}` }));
  button.type = "button";
  button.addEventListener("click", async () => {
    const copied = await copyText(command, button);
    if (!copied) window.getSelection()?.selectAllChildren(code);
    said.textContent = copied ? "Copied" : "Selected: press Ctrl+C";
    window.setTimeout(() => (said.textContent = "Copy"), SAID_MS);
  });
  const head = element("div", { className: "command-head" }, element("h3", { text: title }), button);
  return element("li", {}, head, element("p", { text: note }), element("pre", {}, code));
}

/**
 * The clipboard's own interface stands only in secure contexts, which a server in a hall is not.
 * @param {string} text
 * @param {HTMLElement} focus
 */
export async function copyText(text, focus) {
  try {
    // eslint-disable-next-line no-restricted-properties -- where it is missing, the other way is taken
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text, focus);
  }
}

/**
 * @param {string} text
 * @param {HTMLElement} focus
 */
function copyBySelection(text, focus) {
  const area = element("textarea", { className: "unseen" });
  area.value = text;
  area.readOnly = true;
  // What is behind an open dialog cannot be selected.
  (focus.closest("dialog") ?? document.body).append(area);
  area.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    area.remove();
    focus.focus({ preventScroll: true });
  }
}
