// What an overlay's address says: one vocabulary for all of them. What makes no sense counts as not said.

/** @typedef {"top-left" | "top" | "top-right" | "left" | "center" | "right" | "bottom-left" | "bottom" | "bottom-right"} Position */

/**
 * @typedef {object} Params
 * @property {string} meet nine digits, or empty
 * @property {string} key
 * @property {number} platform
 * @property {string} lifter id of an entry to show in place of the current one, or empty
 * @property {string} lang
 * @property {"" | "kg" | "lbs" | "both"} units empty: the meet's own
 * @property {string} theme empty: what the meet says
 * @property {string} accent a colour as `#rrggbb`; empty: what the meet or the theme says
 * @property {Position | ""} pos empty: the element's own place
 * @property {number} scale
 * @property {number} delayMs
 * @property {string} group what a leaderboard compares: `class`, `all`, `points`, or a division
 * @property {number} rows 0: as many as the element usually has
 * @property {number} rotateMs
 * @property {boolean} motion
 * @property {boolean} demo
 * @property {boolean} debug
 * @property {{ element: string, pos: Position | "" }[]} show what `all` combines
 */

export const POSITIONS = /** @type {const} */ (["top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right"]);
export const LANGUAGES = ["en", "de", "fr", "es", "fi"];
export const THEMES = ["night", "day", "arena", "bare"];
export const UNITS = /** @type {const} */ (["kg", "lbs", "both"]);

const MEET = /^\d{3}[- ]?\d{3}[- ]?\d{3}$/;
const VIEW_KEY = /^lrv_/;
const COLOUR = /^#?([0-9a-f]{6})$/i;
const SHOWN = "lower-third,up-next,clock,lights";
const DELAY_MAX_S = 300;

/**
 * @param {string} search
 * @param {string} hash
 * @returns {Params}
 */
export function readParams(search, hash) {
  const query = new URLSearchParams(search);
  const said = (/** @type {string} */ name) => (query.get(name) ?? "").trim();
  const key = (new URLSearchParams(hash.replace(/^#/, "")).get("key") ?? "").trim();
  const number = (/** @type {string} */ name, /** @type {number} */ usual, /** @type {number} */ least, /** @type {number} */ most) => {
    const found = said(name) === "" ? NaN : Number(said(name));
    return Number.isFinite(found) ? Math.min(Math.max(found, least), most) : usual;
  };
  return {
    meet: MEET.test(said("meet")) ? said("meet").replace(/\D/g, "") : "",
    key: VIEW_KEY.test(key) ? key : "",
    platform: Math.floor(number("platform", 1, 1, 99)),
    lifter: said("lifter"),
    lang: oneOf(LANGUAGES, said("lang").toLowerCase()) || "en",
    units: oneOf(UNITS, said("units")),
    theme: oneOf(THEMES, said("theme")),
    accent: colourOf(said("accent")),
    pos: oneOf(POSITIONS, said("pos")),
    scale: number("scale", 1, 0.25, 4),
    delayMs: 1000 * number("delay", 0, 0, DELAY_MAX_S),
    group: said("group") || "class",
    rows: Math.floor(number("rows", 0, 0, 40)),
    rotateMs: 1000 * number("rotate", 12, 0, 600),
    motion: !["0", "off", "no", "none"].includes(said("motion")),
    demo: flag(said("demo")),
    debug: flag(said("debug")),
    show: (said("show") || SHOWN).split(",").map(shown),
  };
}

/**
 * `clock`, or `clock@top-left`.
 * @param {string} item
 */
function shown(item) {
  const [element, pos = ""] = item.trim().split("@");
  return { element, pos: oneOf(POSITIONS, pos) };
}

/**
 * A colour as CSS takes it; empty for anything else.
 * @param {unknown} text
 */
export function colourOf(text) {
  const match = typeof text === "string" ? COLOUR.exec(text.trim()) : null;
  return match === null ? "" : `#${match[1].toLowerCase()}`;
}

/**
 * @template {string} T
 * @param {readonly T[]} choices
 * @param {string} said
 * @returns {T | ""}
 */
export function oneOf(choices, said) {
  return choices.find((choice) => choice === said) ?? "";
}

/** @param {string} said */
function flag(said) {
  return ["1", "true", "yes", "on"].includes(said);
}
