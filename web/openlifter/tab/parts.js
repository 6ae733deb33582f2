// What the parts of the panel have in common.

import { element } from "../../board.js";
import { NO } from "./texts.js";

/**
 * @template {HTMLElement} T
 * @param {ShadowRoot} root
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function find(root, id, type) {
  const found = root.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`the panel has no ${id}`);
}

/** @param {string} value */
export function optionOf(value) {
  const option = element("option");
  option.value = value;
  return option;
}

/**
 * Asks in a form, where a person is looking.
 * @param {HTMLFormElement} form
 * @param {string} question
 * @param {string} yes what the button says that agrees
 * @returns {Promise<boolean>}
 */
export function ask(form, question, yes) {
  const place = /** @type {HTMLElement} */ (form.querySelector(".question"));
  return new Promise((resolve) => {
    const answers = [yes, NO].map((text) => {
      const button = element("button", { text, className: text === yes ? "grave" : "" });
      button.type = "button";
      button.addEventListener("click", () => {
        place.hidden = true;
        place.replaceChildren();
        form.querySelector("button")?.focus();
        resolve(text === yes);
      });
      return button;
    });
    const said = element("p", { text: question });
    said.setAttribute("role", "alert");
    place.replaceChildren(said, element("div", { className: "actions" }, ...answers));
    place.hidden = false;
    answers[1].focus();
  });
}
