// Who is ahead: in a category, in one after the other, or of all by points.

import { bestOf, liftsOf, mainEvent } from "../logic/totals.js";
import { byPoints } from "../logic/places.js";
import { box } from "../tree.js";
import { heading, pageOf } from "./parts.js";

/** @typedef {import("../view.js").View} View */
/** @typedef {import("../logic/places.js").Standing} Standing */

const ROWS = 8;
/** @type {Record<string, string>} */
const SEXES = { F: "women", M: "men", Mx: "mx" };

/** @param {View} view */
export function drawLeaderboard(view) {
  const { group } = view.params;
  if (group === "points") return drawPoints(view);
  const { rivals, first, note } = group === "class" ? ofLifter(view) : oneOfAll(view);
  if (rivals.length === 0) return [];
  return [heading(titleOf(view, rivals[0]), note), ...rivals.map((standing, index) => row(view, standing, first + index + 1, first + index))];
}

/** @param {View} view */
function drawPoints(view) {
  const best = byPoints(view.standings).filter(({ totalKg, entry }) => totalKg > 0 && !entry.guest);
  if (best.length === 0) return [];
  const { items, first, note } = pageOf(view, best, ROWS);
  const title = view.words.say("bestByPoints", { formula: view.meet.formula });
  return [heading(title, note), ...items.map((standing, index) => row(view, standing, first + index + 1, first + index))];
}

/** The category of the lifter on the platform, at the page where the lifter is. @param {View} view */
function ofLifter(view) {
  const lifter = view.lifter ?? view.now.order[0];
  const own = lifter && view.standing(lifter);
  const rivals = view.standings.filter(({ category }) => category === own?.category);
  const { items, first, note } = pageOf(view, rivals, ROWS);
  return { rivals: items, first, note };
}

/** One category after the other: all of them, or those of one division. @param {View} view */
function oneOfAll(view) {
  const { group } = view.params;
  /** @type {Map<string, Standing[]>} */
  const categories = new Map();
  for (const standing of view.standings.filter(({ division }) => group === "all" || division === group)) {
    categories.set(standing.category, [...(categories.get(standing.category) ?? []), standing]);
  }
  const rows = view.params.rows || ROWS;
  const pages = [...categories.values()].flatMap((rivals) =>
    Array.from({ length: Math.ceil(rivals.length / rows) }, (_, page) => ({ rivals: rivals.slice(page * rows, (page + 1) * rows), first: page * rows })),
  );
  const page = view.page(pages.length);
  return { rivals: [], first: 0, ...pages[page], note: pages.length > 1 ? `${page + 1}/${pages.length}` : "" };
}

/**
 * @param {View} view
 * @param {Standing} standing
 */
function titleOf(view, { entry, division, event }) {
  const sex = SEXES[entry.sex];
  return [sex && view.words.say(sex), view.classText(entry), division, event === "SBD" ? "" : event].filter(Boolean).join(" · ") || view.words.say("leaderboard");
}

/**
 * @param {View} view
 * @param {Standing} standing
 * @param {number} place
 * @param {number} index
 */
function row(view, { entry, event, totalKg, subtotalKg, points, category }, place, index) {
  const lifts = liftsOf(event || mainEvent(entry));
  const bests = lifts.map((lift) => box("lr-best", view.weight(bestOf(entry, lift)), { key: lift }));
  return box(
    "lr-row",
    [
      // Before there is a total, the place is what it would be; before there is a lift, nobody has one.
      box("lr-nth", entry.guest || !(totalKg || subtotalKg) ? "–" : String(place), { data: { total: String(totalKg > 0) } }),
      box("lr-name", entry.name),
      box("lr-bests", bests),
      box("lr-weight", view.weight(totalKg || subtotalKg), { data: { total: String(totalKg > 0) } }),
      points > 0 && view.points(points) !== "" && box("lr-points", view.points(points)),
    ],
    { key: `${entry.id} ${category}`, data: { current: String(entry === view.now.current), odd: String(index % 2 === 1) } },
  );
}
