// What an overlay knows of its meet: from the stream, and until that is there from what it showed last.

import { Follower } from "../follow.js";
import { MeetReader } from "../meet-reader.js";
import { streamAddress } from "./address.js";
import { ServerClock } from "./logic/clock.js";

/** @typedef {import("./params.js").Params} Params */
/** @typedef {import("./hub.js").MessageNews["message"]} Message */

const KEPT = "liftrelay.overlay.";
const KEEP_EVERY_MS = 2000;
/** So often it is looked whether the hub still answers; a browser may end it, and one that has let two looks pass is gone. */
const LOOK_MS = 2000;

/** This screen's time, which no one sets. */
export const here = () => performance.timeOrigin + performance.now();

export class Link {
  #params;
  #changed;
  #keepAt = 0;
  #keepTimer = 0;
  /** Holds what is shown: as old as the address wants it. */
  reader = new MeetReader();
  clock = new ServerClock();
  state = "connecting";
  why = "";
  /** Since when nothing comes; null while all is well. @type {number | null} */
  lostAt = here();

  /**
   * @param {Params} params
   * @param {() => void} changed
   */
  constructor(params, changed) {
    this.#params = params;
    this.#changed = changed;
    this.#recall();
  }

  open() {
    const { meet, key } = this.#params;
    if (typeof SharedWorker === "undefined") this.#follow(meet, key);
    else this.#share(meet, key);
  }

  /**
   * @param {string} meet
   * @param {string} key
   */
  #share(meet, key) {
    const worker = new SharedWorker(new URL("hub.js", import.meta.url), { type: "module", name: JSON.stringify([meet, key]) });
    const { port } = worker;
    const leave = () => port.postMessage("leave");
    let unanswered = 0;
    const looking = setInterval(() => {
      unanswered += 1;
      if (unanswered > 2) again();
      else port.postMessage("ping");
    }, LOOK_MS);
    const again = () => {
      clearInterval(looking);
      self.removeEventListener("pagehide", leave);
      port.onmessage = null;
      leave();
      this.#share(meet, key);
    };
    port.onmessage = ({ data: { message, ageMs, link, why } }) => {
      unanswered = 0;
      if (message !== undefined) this.heard(message, ageMs);
      else if (link !== undefined) this.linked(link, why);
    };
    // The script itself may not have come through while the server was away.
    worker.onerror = () => {
      clearInterval(looking);
      setTimeout(again, LOOK_MS);
    };
    self.addEventListener("pagehide", leave);
  }

  /**
   * @param {string} meet
   * @param {string} key
   */
  #follow(meet, key) {
    const follower = new Follower(new MeetReader(), {
      address: () => streamAddress(meet, key),
      revoked: "the view key was deleted",
      linked: (state, why) => this.linked(state, why),
      changed: (message) => this.heard(message, 0),
    });
    void follower.open();
  }

  /**
   * @param {string} state
   * @param {string} why
   */
  linked(state, why) {
    [this.state, this.why] = [state, why];
    const isWell = state === "live" || state === "finished";
    this.lostAt = isWell ? null : (this.lostAt ?? here());
    this.#changed();
  }

  /**
   * @param {Message} message
   * @param {number} ageMs
   */
  heard(message, ageMs) {
    this.clock.hear(message.serverTime, here() - ageMs);
    if (this.#params.delayMs > 0) setTimeout(() => this.#take(message), this.#params.delayMs);
    else this.#take(message);
  }

  /** The server's time at the moment that is shown. */
  get serverNow() {
    return this.clock.now(here()) - this.#params.delayMs;
  }

  /** @param {Message} message */
  #take(message) {
    // Between RESET and the state that follows it, what was shown stays.
    if (message.msgType === "RESET") return;
    this.reader.receive(message);
    // A meet that is another one now is told by HELLO; its state follows at once.
    if (message.msgType === "HELLO" || message.msgType === "HEARTBEAT") return;
    this.#keepSoon();
    this.#changed();
  }

  #keepSoon() {
    clearTimeout(this.#keepTimer);
    this.#keepTimer = setTimeout(() => this.#keep(), Math.max(0, this.#keepAt - Date.now()));
  }

  /** For the next start without a server. Storage may be full or forbidden: then it starts with nothing. */
  #keep() {
    this.#keepAt = Date.now() + KEEP_EVERY_MS;
    const name = `${KEPT}${this.#params.meet}`;
    const { meetName, seqNum, state } = this.reader;
    try {
      for (const other of Object.keys(localStorage)) if (other.startsWith(KEPT) && other !== name) localStorage.removeItem(other);
      localStorage.setItem(name, JSON.stringify({ meetName, seqNum, state }));
    } catch {
      // Nothing depends on it.
    }
  }

  #recall() {
    if (this.#params.meet === "") return;
    try {
      const { meetName, seqNum, state } = JSON.parse(localStorage.getItem(`${KEPT}${this.#params.meet}`) ?? "null") ?? {};
      if (state === undefined) return;
      this.reader.receive({ msgType: "STATE", state, serverSeqNum: seqNum });
      this.reader.meetName = String(meetName);
    } catch {
      // What cannot be read is as good as nothing.
    }
  }
}
