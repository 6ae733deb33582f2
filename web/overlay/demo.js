// A meet to look at without a server's: a real one, of which the bench press and the first flight's deadlifts are replayed.
// The lifting is real (data of the OpenPowerlifting project, https://www.openpowerlifting.org), the lifters' names are invented.

import { here } from "../client/clock.js";
import { MeetReader } from "../meet-reader.js";
import { adopt, applyEntry, emptyState } from "../meet-state.js";
import { ATTEMPTS_MAX, LETTER, readMeet } from "./logic/meet.js";
import { nowOf } from "./logic/now.js";

/** @typedef {import("../meet-reader.js").Message} Message */
/** @typedef {import("./logic/meet.js").Lift} Lift */

const STEP_MS = 7000;
const BREAK_MS = 600_000;
const MEET = new URL("demo-meet.json", import.meta.url);

/**
 * Plays for ever, to whoever shows it.
 * @param {(meet: import("../meet-state.js").JsonObject, number: number) => void} show
 */
export async function startDemo(show) {
  const final = adopt(await (await fetch(MEET)).json());
  const reader = new MeetReader();
  const demo = new Demo(final, (message) => {
    reader.receive(message);
    // What stands below its top is never changed in place.
    show(Object.assign(emptyState(), reader.state), reader.seqNum);
  });
  demo.begin();
  setInterval(() => demo.step(), STEP_MS);
}

export class Demo {
  #final;
  #receive;
  /** @type {any} */
  #state = null;
  #seqNum = 0;

  /**
   * @param {import("../meet-state.js").Json} final the meet as it ended
   * @param {(message: Message) => void} receive
   */
  constructor(final, receive) {
    this.#final = final;
    this.#receive = receive;
  }

  /** The meet in the middle of its bench press. */
  begin() {
    this.#state = adopt(this.#final);
    for (const entry of Object.values(this.#state.registration.entries)) {
      rewind(entry, "bench", entry.flight === "A" ? 1 : 0);
      rewind(entry, "deadlift", 0);
    }
    this.#state.overlays = { sponsors: ["Harbour Barbell", "Two Rivers Physio", "North Iron Works"].map((name) => ({ name })) };
    this.#seqNum += 1;
    this.#receive({ msgType: "STATE", state: this.#state, serverSeqNum: this.#seqNum });
    this.#send([startedClock(), { updateKey: "break[1]", updateValue: { until: time(here() + BREAK_MS) } }]);
  }

  /** The current lifter lifts, as in the real meet, and declares the next attempt. */
  step() {
    const { lift, attempt, current } = nowOf(this.#state, readMeet(this.#state), 1);
    if (current === null) return this.begin();
    const entry = `registration.entries[${current.id}]`;
    const final = /** @type {any} */ (this.#final).registration.entries[current.id];
    const status = final[`${lift}Status`][attempt - 1];
    const next = final[`${lift}Kg`][attempt] ?? 0;
    // Now and then a referee sees it otherwise than the other two.
    const other = (Number(current.id) + attempt) % 3 === 0 ? -status : status;
    const decisions = [status, other, status].map((decision) => (decision > 0 ? "good" : "no"));
    const lights = { decisions, entryId: Number(current.id), lift: LETTER[lift], attempt, at: time(here()) };
    const updates = [{ updateKey: `${entry}.${lift}Status[${attempt - 1}]`, updateValue: status }, { updateKey: "lights[1]", updateValue: lights }];
    if (next > 0) updates.push({ updateKey: `${entry}.${lift}Kg[${attempt}]`, updateValue: next });
    this.#send([...updates, startedClock()]);
  }

  /** @param {{ updateKey: string, updateValue: any }[]} updates */
  #send(updates) {
    const updatesRelayed = updates.map((update) => ({ ...update, serverSeqNum: (this.#seqNum += 1) }));
    for (const update of updatesRelayed) applyEntry(this.#state, update);
    this.#receive({ msgType: "UPDATE_RELAY", updatesRelayed });
  }
}

/** @param {number} at */
const time = (at) => new Date(at).toISOString();
const startedClock = () => ({ updateKey: "clock[1]", updateValue: { seconds: 60, startedAt: time(here()) } });

/**
 * Takes attempts back; the next one stays declared.
 * @param {any} entry
 * @param {Lift} lift
 * @param {number} taken
 */
function rewind(entry, lift, taken) {
  for (let index = taken; index < ATTEMPTS_MAX; index += 1) {
    entry[`${lift}Status`][index] = 0;
    if (index > taken) entry[`${lift}Kg`][index] = 0;
  }
}
