// Points by the formulas that federations publish: a total in kilograms, weighed by bodyweight.

/** @typedef {"Total" | "Dots" | "Wilks" | "IPF GL Points"} Formula */
/** @typedef {{ totalKg: number, bodyweightKg: number, sex: string, equipment: string, event: string }} Result */

/** @type {(from: number, to: number) => (kg: number) => number} */
const within = (from, to) => (kg) => Math.min(Math.max(kg, from), to);
/** @type {(kg: number, ...coefficients: number[]) => number} */
const polynomial = (kg, ...coefficients) => coefficients.reduceRight((sum, coefficient) => sum * kg + coefficient, 0);

/** @param {Result} result */
function dots({ totalKg, bodyweightKg, sex }) {
  const divisor =
    sex === "F"
      ? polynomial(within(40, 150)(bodyweightKg), -57.96288, 13.6175032, -0.1126655495, 0.0005158568, -0.0000010706)
      : polynomial(within(40, 210)(bodyweightKg), -307.75076, 24.0900756, -0.1918759221, 0.0007391293, -0.000001093);
  return (500 * totalKg) / divisor;
}

/** @param {Result} result */
function wilks({ totalKg, bodyweightKg, sex }) {
  const divisor =
    sex === "F"
      ? polynomial(within(26.51, 154.53)(bodyweightKg), 594.31747775582, -27.23842536447, 0.82112226871, -0.00930733913, 4.731582e-5, -9.054e-8)
      : polynomial(within(40, 201.9)(bodyweightKg), -216.0475144, 16.2606339, -0.002388645, -0.00113732, 7.01863e-6, -1.291e-8);
  return (500 * totalKg) / divisor;
}

/** @type {Record<string, [number, number, number]>} by event, sex, and whether the lifter wears a suit or shirt */
const GL = {
  "SBD M equipped": [1236.25115, 1449.21864, 0.01644],
  "SBD M classic": [1199.72839, 1025.18162, 0.00921],
  "B M equipped": [381.22073, 733.79378, 0.02398],
  "B M classic": [320.98041, 281.40258, 0.01008],
  "SBD F equipped": [758.63878, 949.31382, 0.02435],
  "SBD F classic": [610.32796, 1045.59282, 0.03048],
  "B F equipped": [221.82209, 357.00377, 0.02937],
  "B F classic": [142.40398, 442.52671, 0.04724],
};
const GL_LEAST_KG = 35;
const CLASSIC = ["Bare", "Sleeves", "Wraps"];

/** @param {Result} result */
function gl({ totalKg, bodyweightKg, sex, equipment, event }) {
  const constants = GL[`${event} ${sex === "F" ? "F" : "M"} ${CLASSIC.includes(equipment) ? "classic" : "equipped"}`];
  if (constants === undefined || bodyweightKg < GL_LEAST_KG) return 0;
  const [a, b, c] = constants;
  return (100 * totalKg) / (a - b * Math.exp(-c * bodyweightKg));
}

/** @type {Record<string, (result: Result) => number>} */
const FORMULAS = { Total: ({ totalKg }) => totalKg, Dots: dots, Wilks: wilks, "IPF GL Points": gl };

/**
 * Whether points by a meet's formula can be told here.
 * @param {string} formula
 */
export function isSupported(formula) {
  return Object.hasOwn(FORMULAS, formula);
}

/**
 * Points without age coefficients; 0 where there is no total, no bodyweight or no such formula.
 * @param {string} formula
 * @param {Result} result
 */
export function pointsOf(formula, result) {
  if (!isSupported(formula) || !(result.totalKg > 0) || (formula !== "Total" && !(result.bodyweightKg > 0))) return 0;
  return FORMULAS[formula](result);
}
