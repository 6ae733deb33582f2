// An address to copy or to open.

import { element } from "./board.js";
import { copyText } from "./copy.js";

const SAID_MS = 2000;

/**
 * @param {string} name
 * @param {string} label of the key
 * @param {string} path
 */
export function addressLine(name, label, path) {
  const field = element("input");
  Object.assign(field, { readOnly: true, value: new URL(path, location.origin).href, id: `address-${name}-${path}` });
  const title = element("label", { text: name });
  title.htmlFor = field.id;
  const copy = element("button", { text: "Copy" });
  copy.type = "button";
  copy.setAttribute("aria-label", `Copy the ${name.toLowerCase()} address of ${label}`);
  copy.addEventListener("click", async () => {
    const copied = await copyText(field.value, copy);
    if (!copied) field.select();
    copy.textContent = copied ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (copy.textContent = "Copy"), SAID_MS);
  });
  const open = element("a", { text: "Open" });
  Object.assign(open, { href: field.value, target: "_blank", rel: "noreferrer" });
  open.setAttribute("aria-label", `Open the ${name.toLowerCase()} of ${label}`);
  return element("div", { className: "address" }, title, field, copy, open);
}
