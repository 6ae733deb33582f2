// An OpenLifter as far as a meet is concerned with it: the shape of its state, and actions on it, in-place changes among them.

/** @typedef {import("../../openlifter/shape.js").OpenLifterState} State */

/** @returns {State} */
export function emptyMeet() {
  return {
    versions: { stateVersion: "0", releaseVersion: "1.4" },
    language: "en",
    meet: { name: "", country: "", state: "", city: "", federation: "", date: "2026-11-26", lengthDays: 1, platformsOnDays: [1], divisions: [], weightClassesKgMen: [], weightClassesKgWomen: [], weightClassesKgMx: [], formula: "Wilks", ageCoefficients: "FosterMcCulloch", combineSleevesAndWraps: false, combineSingleAndMulti: false, allow4thAttempts: true, roundTotalsDown: false, inKg: true, showAlternateUnits: true, squatBarAndCollarsWeightKg: 25, benchBarAndCollarsWeightKg: 25, deadliftBarAndCollarsWeightKg: 25, plates: [{ weightKg: 25, pairCount: 8, color: "#FF0000" }] },
    registration: { nextEntryId: 5000, entries: [], lookup: {} },
    lifting: { day: 1, platform: 1, flight: "A", lift: "S", overrideAttempt: null, overrideEntryId: null, columnDivisionWidthPx: 90 },
    _persist: { version: -1, rehydrated: true },
  };
}

/**
 * What a reducer makes of an action. Attempts are entered into the entry that older states have, too.
 * @param {State} state
 * @param {any} action
 * @returns {State}
 */
export function reduce(state, action) {
  const { registration, meet, lifting } = state;
  const withEntries = (/** @type {any[]} */ entries, nextEntryId = registration.nextEntryId) => ({
    ...state,
    registration: { nextEntryId, entries, lookup: Object.fromEntries(entries.map(({ id }, index) => [id, index])) },
  });
  switch (action.type) {
    case "OVERWRITE_STORE":
      return { ...action.store };
    case "UPDATE_MEET":
      return { ...state, meet: { ...meet, ...action.changes } };
    case "SET_IN_KG": {
      const bar = action.inKg ? 20 : 20.411656667117025;
      const bars = { squatBarAndCollarsWeightKg: bar, benchBarAndCollarsWeightKg: bar, deadliftBarAndCollarsWeightKg: bar };
      return { ...state, meet: { ...meet, ...bars, inKg: action.inKg, showAlternateUnits: action.inKg, plates: [{ weightKg: action.inKg ? 25 : 20.41, pairCount: 8, color: "#FF0000" }] } };
    }
    case "NEW_REGISTRATION":
      return withEntries([...registration.entries, { ...newEntry(registration.nextEntryId), ...action.overwriteDefaults }], registration.nextEntryId + 1);
    case "DELETE_REGISTRATION":
      return withEntries(registration.entries.filter(({ id }) => id !== action.entryId));
    case "UPDATE_REGISTRATION":
      return withEntries(registration.entries.map((entry) => (entry.id === action.entryId ? { ...entry, ...action.changes } : entry)));
    case "ASSIGN_LOT_NUMBERS":
      return withEntries(registration.entries.map((entry, index) => ({ ...entry, lot: action.lotNumbers[index] })));
    case "ENTER_ATTEMPT": {
      const entry = registration.entries.find(({ id }) => id === action.entryId);
      if (entry) Object.assign(entry, { [action.field]: replaced(entry[action.field], action.attemptOneIndexed - 1, action.weightKg) });
      return { ...state, registration: { ...registration, entries: [...registration.entries] } };
    }
    case "MARK_LIFT":
      return withEntries(registration.entries.map((entry) => (entry.id === action.entryId ? { ...entry, [action.field]: replaced(entry[action.field], action.attemptOneIndexed - 1, action.success ? 1 : -1) } : entry)));
    case "SET_LIFTING_GROUP":
    case "SET_TABLE_INFO":
      return { ...state, lifting: { ...lifting, ...action.changes } };
    case "MERGE_PLATFORM": {
      const others = registration.entries.filter(({ day, platform }) => day !== action.day || platform !== action.platform);
      const merged = action.platformEntries.map((/** @type {any} */ entry, /** @type {number} */ index) => ({ ...entry, id: registration.nextEntryId + index }));
      return withEntries([...others, ...merged], registration.nextEntryId + merged.length);
    }
    default:
      return state;
  }
}

/** @param {number[]} list @param {number} index @param {number} value */
function replaced(list, index, value) {
  return list.map((old, place) => (place === index ? value : old));
}

/** @param {number} id */
function newEntry(id) {
  const attempts = () => [0, 0, 0, 0, 0];
  return { id, day: 1, platform: 1, flight: "A", name: "", sex: "M", birthDate: "", age: 0, country: "", state: "", intendedWeightClassKg: "", equipment: "Sleeves", divisions: [], events: ["SBD"], lot: 0, memberId: "", paid: false, team: "", guest: false, notes: "", bodyweightKg: 0, squatRackInfo: "", benchRackInfo: "", squatKg: attempts(), benchKg: attempts(), deadliftKg: attempts(), squatStatus: attempts(), benchStatus: attempts(), deadliftStatus: attempts() };
}
