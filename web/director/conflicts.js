// Edits of this browser that did not prevail: refused ones, to be decided about, and taken ones that others overruled later.

import { element } from "../board.js";
import { byId, write } from "../meet-page.js";
import { lifterOf, messageOf, valueText } from "./parts.js";

/** @typedef {import("../client/liftrelay.d.ts").Json} Json */
/** @typedef {import("../client/liftrelay.d.ts").Meet} Meet */
/** @typedef {import("../client/liftrelay.d.ts").Overruled} Overruled */
/** @typedef {import("../client/liftrelay.d.ts").SetAside} SetAside */

const page = {
  title: byId("conflicts-title", HTMLElement),
  count: byId("conflicts-count", HTMLElement),
  none: byId("no-conflicts", HTMLElement),
  refused: byId("conflicts", HTMLElement),
  overruled: byId("overruled", HTMLElement),
};

/** Shows the conflicts of a meet. Gives the way to stop. @param {Meet} meet */
export function showConflicts(meet) {
  /** @type {unknown} */
  let shown = null;
  const showRefused = () => {
    if (shown !== meet.setAside) page.refused.replaceChildren(...meet.setAside.map((one) => refusedItem(meet, one)));
    shown = meet.setAside;
    count();
  };
  const stops = [
    meet.subscribe(showRefused),
    meet.on("overruled", ({ overruled }) => {
      page.overruled.prepend(...overruled.map((one) => overruledItem(meet, one)));
      count();
    }),
  ];
  return () => {
    for (const stop of stops) stop();
    page.refused.replaceChildren();
    page.overruled.replaceChildren();
    count();
  };
}

function count() {
  const found = page.refused.children.length + page.overruled.children.length;
  write(page.count, String(found));
  page.none.hidden = found > 0;
}

/**
 * @param {Meet} meet
 * @param {SetAside} setAside
 */
function refusedItem(meet, { number, edit, reason, standing }) {
  const yours = edit.op === "remove" ? "removed" : valueText(edit.value);
  const item = conflictItem(meet, edit.key, yours, standing && { ...standing, text: valueText(standing.value) });
  const act = (/** @type {string} */ text, /** @type {(number: number) => Promise<void>} */ decide) => actButton(item, text, edit.key, () => decide(number));
  const actions = element("div", { className: "actions" }, act("Retry", (one) => meet.retry(one)), act("Drop", (one) => meet.drop(one)));
  item.append(element("p", { className: "note", text: reason }), actions);
  return item;
}

/**
 * @param {Meet} meet
 * @param {Overruled} overruled
 */
function overruledItem(meet, { key, old, new: value, locationName, priority }) {
  const item = conflictItem(meet, key, valueText(old), { text: valueText(value), locationName, priority });
  const seen = actButton(item, "Seen", key, async () => {
    item.remove();
    count();
  });
  item.append(element("p", { className: "note", text: "The server had taken yours; it was overruled later." }), element("div", { className: "actions" }, seen));
  return item;
}

/**
 * @param {Meet} meet
 * @param {string} key
 * @param {string} yours
 * @param {{ text: string, locationName: string, priority: number }} [theirs]
 */
function conflictItem(meet, key, yours, theirs) {
  const lifter = lifterOf(/** @type {any} */ (meet.state), key);
  const facts = element("dl", {}, fact("Yours", yours));
  if (theirs) facts.append(fact("Stands", `${theirs.text} – ${theirs.locationName} (${theirs.priority})`));
  return element("li", { className: "conflict" }, element("p", {}, element("code", { text: key }), lifter ? ` ${lifter}` : ""), facts);
}

/**
 * @param {HTMLElement} item
 * @param {string} text
 * @param {string} key
 * @param {() => Promise<void>} act
 */
function actButton(item, text, key, act) {
  const button = element("button", { text });
  button.type = "button";
  button.setAttribute("aria-label", `${text}: ${key}`);
  button.addEventListener("click", () => {
    // The button goes with its conflict; whoever works by keyboard stays in the list.
    act().then(() => page.title.focus(), (error) => {
      const said = element("p", { className: "said bad", text: messageOf(error) });
      said.setAttribute("role", "alert");
      item.querySelector(".said")?.remove();
      item.append(said);
    });
  });
  return button;
}

/** @param {string} name @param {string} text */
function fact(name, text) {
  return element("div", {}, element("dt", { text: name }), element("dd", { text }));
}
