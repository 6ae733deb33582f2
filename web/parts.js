// What the parts of pages that edit a meet have in common. Whatever comes from a meet goes in as text, never as markup.

import { parseKey, valueAt } from "./meet-state.js";

/** @typedef {import("./client/liftrelay.d.ts").Json} Json */

const SHOWN_MAX = 100;

/** @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Does what a form is for, once at a time, and says beside it what came of it.
 * @param {HTMLFormElement} form
 * @param {(data: FormData) => Promise<string | void>} work gives what is to be said when it is done
 */
export function onSubmit(form, work) {
  let isBusy = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isBusy) return;
    isBusy = true;
    await saying(/** @type {HTMLElement} */ (form.querySelector(".said")), () => work(new FormData(form)));
    isBusy = false;
  });
}

/**
 * @param {HTMLElement} place
 * @param {() => Promise<string | void>} work
 */
export async function saying(place, work) {
  place.textContent = "";
  place.classList.remove("bad");
  try {
    place.textContent = (await work()) ?? "";
  } catch (error) {
    place.classList.add("bad");
    place.textContent = messageOf(error);
  }
}

/**
 * Does work whenever a meet's link has come up, the first time among them: what it reads may have changed while the link was down.
 * Gives the way to stop.
 * @param {import("./client/liftrelay.d.ts").Meet} meet
 * @param {HTMLElement} place where it is said what went wrong
 * @param {() => Promise<void>} work
 */
export function wheneverUp(meet, place, work) {
  let wasUp = false;
  return meet.subscribe(({ link }) => {
    if (link === "up" && !wasUp) void saying(place, work);
    wasUp = link === "up";
  });
}

/** @param {FormData} data @param {string} name */
export function textOf(data, name) {
  const value = data.get(name);
  return typeof value === "string" ? value : "";
}

/** The nine digits in groups of three. @param {string} meetId */
export function grouped(meetId) {
  return meetId.replace(/\D/g, "").replace(/(\d{3})(?=\d)/g, "$1-");
}

/** A value in one short line. @param {Json | undefined} value */
export function valueText(value) {
  if (value === undefined) return "nothing";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const characters = Array.from(text.slice(0, 2 * SHOWN_MAX));
  const isWhole = characters.length <= SHOWN_MAX && text.length <= 2 * SHOWN_MAX;
  return isWhole ? text : `${characters.slice(0, SHOWN_MAX - 1).join("")}…`;
}

const RESULTS = new Map([[1, "good lift"], [-1, "no lift"], [0, "not lifted yet"]]);

/**
 * A value as people know it from the field.
 * @param {string} key
 * @param {Json | undefined} value
 */
export function valueAtText(key, value) {
  const isResult = /\.(squat|bench|deadlift)Status\[\d\]$/.test(key);
  return (isResult && RESULTS.get(Number(value))) || valueText(value);
}

/**
 * The lifter whom a key is about, as far as `state` knows a name; else empty.
 * @param {Json} state
 * @param {string} key
 */
export function lifterOf(state, key) {
  const path = parseKey(key) ?? [];
  const [registration, entries, id] = path;
  if (registration !== "registration" || entries !== "entries" || id === undefined) return "";
  const name = valueAt(state, registration, entries, id, "name");
  return typeof name === "string" ? name : "";
}

/**
 * What a key is about, for a person: whose and which field.
 * @param {Json} state
 * @param {string} key
 */
export function aboutOf(state, key) {
  const path = parseKey(key) ?? [];
  const isLifters = path[0] === "registration" && path[1] === "entries" && path.length > 2;
  if (!isLifters) return [path[0] === "meet" && path.length > 1 ? "meet" : "", ...path.slice(path[0] === "meet" ? 1 : 0).map(wordsOf)].join(" ").trim();
  const lifter = lifterOf(state, key) || `lifter ${path[2]}`;
  const [name, index] = [path[3], path[4]];
  if (name === undefined) return `${lifter}, the whole lifter`;
  const attempt = /^(squat|bench|deadlift)(Kg|Status)$/.exec(name);
  if (!attempt) return `${lifter}, ${path.slice(3).map(wordsOf).join(" ")}`;
  const which = index === undefined ? "attempts" : `attempt ${Number(index) + 1}`;
  return `${lifter}, ${attempt[1]} ${which}, ${attempt[2] === "Kg" ? "weight in kg" : "result"}`;
}

/** A field's name as people write it: `bodyweightKg` is `bodyweight kg`. @param {string} name */
function wordsOf(name) {
  return name.replace(/([a-z0-9])([A-Z])/g, (_, before, after) => `${before} ${after.toLowerCase()}`);
}

/** The time of day, or the date too where it is another day. @param {string} at */
export function timeText(at) {
  const time = new Date(at);
  const isToday = time.toDateString() === new Date().toDateString();
  return isToday ? time.toLocaleTimeString() : time.toLocaleString();
}
