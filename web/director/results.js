// The results of a meet as the file that OpenPowerlifting takes, computed from the state as it stands.

import { readMeet, LIFTS } from "../overlay/logic/meet.js";
import { classText, standings } from "../overlay/logic/places.js";
import { bestOf, isOut, liftsOf } from "../overlay/logic/totals.js";

/** @typedef {import("../client/liftrelay.d.ts").Json} Json */
/** @typedef {import("../overlay/logic/meet.js").Entry} Entry */
/** @typedef {import("../overlay/logic/meet.js").Lift} Lift */
/** @typedef {import("../overlay/logic/meet.js").Meet} Meet */
/** @typedef {import("../overlay/logic/places.js").Standing} Standing */
/** @typedef {{ meet: Meet, standing: Standing, fields: Record<string, any> }} Line `fields` are those of the entry as it was registered */

const LBS_PER_KG = 2.20462262;
const ATTEMPTS = [1, 2, 3, 4];
const NAMES = { squat: "Squat", bench: "Bench", deadlift: "Deadlift" };

/** What stands in each column, in the file's order. @type {[string, (line: Line) => string | number][]} */
const COLUMNS = [
  ["Place", placeOf],
  ["Name", ({ standing }) => standing.entry.name],
  ["Sex", ({ standing }) => standing.entry.sex],
  ["BirthDate", ({ fields }) => dateText(fields.birthDate)],
  ["Age", ({ fields }) => fields.age || ""],
  ["Country", ({ standing }) => standing.entry.country],
  ["State", ({ fields }) => fields.state ?? ""],
  ["Equipment", ({ standing }) => standing.entry.equipment],
  ["Division", ({ standing }) => standing.division],
  ["BodyweightKg", ({ standing, meet }) => weightText(standing.entry.bodyweightKg, meet)],
  ["WeightClassKg", ({ standing, meet }) => classText(meet, standing.entry, meet.unit)],
  ...LIFTS.flatMap(liftColumns),
  ["TotalKg", ({ standing, meet }) => weightText(standing.place === 0 && !standing.entry.guest ? 0 : standing.totalKg, meet)],
  ["Points", ({ standing }) => (standing.points > 0 ? standing.points.toFixed(2) : "")],
  ["Event", ({ standing }) => standing.event],
  ["Team", ({ standing }) => standing.entry.team],
];
/** Every file has these; others only where something stands in them. */
const NEEDED = new Set(["Place", "Name", "Sex", "Equipment", "Division", "TotalKg", "Event"]);

/**
 * @param {Json} state
 * @returns {string} lines that end with line feeds
 */
export function resultsCsv(state) {
  const meet = readMeet(state);
  const { meet: about, registration } = /** @type {any} */ (state);
  const lines = standings(meet).map((standing) => ({ meet, standing, fields: registration.entries[standing.entry.id] }));
  const columns = COLUMNS.map(([name, valueOf]) => ({ name, cells: lines.map((line) => String(valueOf(line))) }));
  const kept = columns.filter(({ name, cells }) => NEEDED.has(name) || cells.some((text) => text !== ""));
  const head = kept.map(({ name }) => (meet.unit === "lbs" ? name.replace(/Kg$/, "Lbs") : name));
  const rows = lines.map((_, index) => kept.map(({ cells }) => cells[index]));
  const heading = [["OPL Format v1 (liftrelay)"], [], ...meetLines(about ?? {}, meet), []];
  return [...heading, head, ...rows].map((cells) => `${cells.map(cell).join(",")}\n`).join("");
}

/** @param {Record<string, any>} about @param {Meet} meet */
function meetLines(about, meet) {
  const rules = [meet.combinesSleevesAndWraps && "CombineSleevesAndWraps", meet.combinesPlies && "CombineSingleAndMulti"].filter(Boolean).join(" ");
  /** @type {[string, string][]} */
  const facts = [
    ["Federation", meet.federation],
    ["Date", dateText(about.date)],
    ["MeetCountry", about.country ?? ""],
    ["MeetState", about.state ?? ""],
    ["MeetTown", about.city ?? ""],
    ["MeetName", meet.name],
    ["Formula", meet.formula],
    ["RuleSet", rules],
  ];
  const kept = facts.filter(([name, text]) => name !== "RuleSet" || text !== "");
  return [kept.map(([name]) => name), kept.map(([, text]) => text)];
}

/**
 * @param {Lift} lift
 * @returns {[string, (line: Line) => string | number][]}
 */
function liftColumns(lift) {
  const isLifted = (/** @type {Line} */ { standing }) => liftsOf(standing.event).includes(lift);
  const attempts = ATTEMPTS.map((attempt) => {
    const text = (/** @type {Line} */ line) => (isLifted(line) ? attemptText(line, lift, attempt) : "");
    return /** @type {[string, (line: Line) => string]} */ ([`${NAMES[lift]}${attempt}Kg`, text]);
  });
  return [...attempts, [`Best3${NAMES[lift]}Kg`, (line) => (isLifted(line) ? weightText(bestOf(line.standing.entry, lift), line.meet) : "")]];
}

/**
 * A missed attempt is negative; one that nobody took is none.
 * @param {Line} line
 * @param {Lift} lift
 * @param {number} attempt
 */
function attemptText({ meet, standing }, lift, attempt) {
  const { kg, status } = standing.entry.attempts[lift][attempt - 1];
  return status === 0 ? "" : `${status < 0 ? "-" : ""}${weightText(kg, meet)}`;
}

/** @param {Line} line */
function placeOf({ standing: { place, entry, event, totalKg } }) {
  if (entry.guest) return "G";
  if (place > 0) return place;
  const isThere = LIFTS.some((lift) => entry.attempts[lift].some(({ status }) => status !== 0));
  // Before there is a total nobody is out; the file knows no other word for it.
  return isThere || isOut(entry, event) || totalKg > 0 ? "DQ" : "NS";
}

/** Spreadsheets turn dates around unless an apostrophe says that they are text. @param {unknown} date */
function dateText(date) {
  return typeof date === "string" && date !== "" ? `'${date}` : "";
}

/** In the meet's unit, without what a sum of pounds picks up as kilograms. @param {number} kg @param {Meet} meet */
function weightText(kg, meet) {
  if (!(kg > 0)) return "";
  return String(meet.unit === "lbs" ? Math.round(kg * LBS_PER_KG * 10) / 10 : Math.round(kg * 100) / 100);
}

/** @param {unknown} value */
function cell(value) {
  const text = String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
