// What goes on the bar.

/** @typedef {import("./meet.js").Meet} Meet */
/** @typedef {import("./meet.js").Plate} Plate */
/** @typedef {{ plates: Plate[], missingKg: number }} Loading one side, inside first; `missingKg` is what no plate of the meet makes up */

/** Less than the smallest plate by far, and more than pounds lose as kilograms. */
const NEGLIGIBLE_KG = 0.01;

/**
 * @param {Meet} meet
 * @param {import("./meet.js").Lift} lift
 * @param {number} kg
 * @returns {Loading}
 */
export function loadingOf(meet, lift, kg) {
  let side = (kg - meet.barKg[lift]) / 2;
  /** @type {Plate[]} */
  const plates = [];
  for (const plate of meet.plates) {
    for (let left = plate.pairs; left > 0 && plate.kg > 0 && side > plate.kg - NEGLIGIBLE_KG; left -= 1) {
      plates.push(plate);
      side -= plate.kg;
    }
  }
  return { plates, missingKg: Math.abs(side) < NEGLIGIBLE_KG ? 0 : 2 * side };
}
