// Places: who competes with whom, and who is ahead.

import { pointsOf } from "./points.js";
import { mainEvent, subtotalOf, totalOf } from "./totals.js";

/** @typedef {import("./meet.js").Meet} Meet */
/** @typedef {import("./meet.js").Entry} Entry */

/**
 * One lifter in one category.
 * @typedef {object} Standing
 * @property {Entry} entry
 * @property {string} event
 * @property {string} division
 * @property {number} classKg upper limit of the weight class; Infinity above the last, 0 where there is none
 * @property {string} category what those who compete with each other have in common
 * @property {number} totalKg 0 without a total
 * @property {number} subtotalKg
 * @property {number} points
 * @property {number} place 0 without one: no total, or a guest
 */

const LBS_PER_KG = 2.20462262;

/**
 * Every lifter in every category that they entered, best first within each.
 * @param {Meet} meet
 * @returns {Standing[]}
 */
export function standings(meet) {
  /** @type {Map<string, Standing[]>} */
  const categories = new Map();
  for (const entry of meet.entries) {
    for (const standing of standingsOf(meet, entry)) {
      const rivals = categories.get(standing.category);
      if (rivals === undefined) categories.set(standing.category, [standing]);
      else rivals.push(standing);
    }
  }
  for (const rivals of categories.values()) rank(rivals);
  return [...categories.values()].flat();
}

/**
 * @param {Meet} meet
 * @param {Entry} entry
 * @returns {Standing[]}
 */
function standingsOf(meet, entry) {
  const events = entry.events.length > 0 ? entry.events : ["SBD"];
  const divisions = entry.divisions.length > 0 ? entry.divisions : [""];
  const classKg = classOf(meet, entry);
  return events.flatMap((event) => {
    const totalKg = totalOf(entry, event);
    const points = pointsOf(meet.formula, { ...entry, totalKg, event });
    const equipment = equipmentOf(meet, entry.equipment, event);
    return divisions.map((division) => {
      const category = JSON.stringify([entry.sex, event, equipment, division, classKg === Infinity ? "+" : classKg]);
      return { entry, event, division, classKg, category, totalKg, subtotalKg: subtotalOf(entry, event), points, place: 0 };
    });
  });
}

/**
 * The larger total is ahead; the lighter lifter, where totals are equal.
 * @param {Standing[]} rivals
 */
function rank(rivals) {
  rivals.sort((a, b) => b.totalKg - a.totalKg || b.subtotalKg - a.subtotalKg || a.entry.bodyweightKg - b.entry.bodyweightKg);
  let place = 0;
  for (const standing of rivals) {
    if (standing.totalKg > 0 && !standing.entry.guest) standing.place = place += 1;
  }
}

/**
 * @param {Meet} meet
 * @param {string} equipment
 * @param {string} event
 */
function equipmentOf(meet, equipment, event) {
  // Wraps are for squats: without one they make no difference.
  const wraps = equipment === "Wraps" && (meet.combinesSleevesAndWraps || !event.includes("S"));
  if (wraps || equipment === "Bare") return "Sleeves";
  return equipment === "Multi-ply" && meet.combinesPlies ? "Single-ply" : equipment;
}

/**
 * @param {Meet} meet
 * @param {Entry} entry
 */
export function classOf(meet, entry) {
  const limits = meet.classes[entry.sex] ?? [];
  if (limits.length === 0 || !(entry.bodyweightKg > 0)) return 0;
  return limits.find((limit) => entry.bodyweightKg <= limit) ?? Infinity;
}

/**
 * A weight class as it is called, without the unit: `67.5`, `90+`; empty where there is none.
 * @param {Meet} meet
 * @param {Entry} entry
 * @param {"kg" | "lbs"} unit
 */
export function classText(meet, entry, unit) {
  const classKg = classOf(meet, entry);
  if (classKg === 0) return "";
  const limits = meet.classes[entry.sex];
  const limit = classKg === Infinity ? limits[limits.length - 1] : classKg;
  const name = unit === "lbs" ? String(Math.floor(limit * LBS_PER_KG)) : String(limit);
  return classKg === Infinity ? `${name}+` : name;
}

/**
 * The standing that an entry is shown with: its main event and first division.
 * @param {Standing[]} all
 * @param {Entry} entry
 */
export function mainStanding(all, entry) {
  const event = mainEvent(entry);
  const own = all.filter((standing) => standing.entry === entry && standing.event === event);
  return own.find(({ division }) => division === entry.divisions[0]) ?? own[0] ?? null;
}

/**
 * Everybody once, by points; those without any behind, by what they have so far.
 * @param {Standing[]} all
 */
export function byPoints(all) {
  /** @type {Map<Entry, Standing>} */
  const best = new Map();
  for (const standing of all) {
    const known = best.get(standing.entry);
    if (known === undefined || standing.points > known.points) best.set(standing.entry, standing);
  }
  return [...best.values()].sort((a, b) => b.points - a.points || b.totalKg - a.totalKg || b.subtotalKg - a.subtotalKg);
}
