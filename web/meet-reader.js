// A reader of one stream: what it knows, and what each message changes about it. No DOM, no network.

import { adopt, applyEntry, emptyState } from "./meet-state.js";
import { attemptPlaceOf } from "./meet-view.js";

/** @typedef {import("./meet-state.js").Entry} Entry */

/**
 * A message of the stream; only the members that a reader looks at.
 * @typedef {object} Message
 * @property {string} msgType
 * @property {string} [meetId]
 * @property {string} [meetName]
 * @property {import("./meet-state.js").Json} [state]
 * @property {number} [serverSeqNum]
 * @property {number} [headSeqNum]
 * @property {number} [heartbeatSeconds]
 * @property {Entry[]} [updatesRelayed]
 * @property {string} [reason]
 * @property {number} [retryAfterSeconds]
 */

const RECENT_MAX = 12;
const HEARTBEAT_SECONDS = 15;

export class MeetReader {
  meetId = "";
  meetName = "";
  state = emptyState();
  /** Number of the newest update that `state` holds. */
  seqNum = 0;
  /** Number of the newest update that the server holds, as far as it told. */
  headSeqNum = 0;
  heartbeatSeconds = HEARTBEAT_SECONDS;
  /** The newest updates, newest first. @type {Entry[]} */
  recent = [];
  /** The attempt that changed last. @type {import("./meet-view.js").AttemptPlace | null} */
  attempt = null;

  /**
   * Takes one message in. False where the stream left numbers out: only a new snapshot helps then.
   * @param {Message} message
   */
  receive(message) {
    switch (message.msgType) {
      case "HELLO":
        this.#hello(message);
        break;
      case "RESET":
        this.#forget();
        break;
      case "STATE":
        this.#replace(message);
        break;
      case "UPDATE_RELAY":
        if (!this.#relay(message.updatesRelayed ?? [])) return false;
        break;
    }
    this.headSeqNum = Math.max(message.headSeqNum ?? this.headSeqNum, this.seqNum);
    return true;
  }

  /** @param {Message} message */
  #hello(message) {
    if (message.meetId !== this.meetId) {
      this.#forget();
      this.meetId = message.meetId ?? "";
    }
    this.meetName = message.meetName ?? "";
    this.heartbeatSeconds = message.heartbeatSeconds ?? HEARTBEAT_SECONDS;
  }

  #forget() {
    this.state = emptyState();
    this.seqNum = 0;
    this.headSeqNum = 0;
    this.recent = [];
    this.attempt = null;
  }

  /** @param {Message} message */
  #replace(message) {
    const state = adopt(message.state ?? null);
    const isObject = typeof state === "object" && state !== null && !Array.isArray(state);
    this.state = isObject ? state : emptyState();
    this.seqNum = message.serverSeqNum ?? 0;
  }

  /** @param {Entry[]} entries */
  #relay(entries) {
    for (const entry of entries) {
      if (entry.serverSeqNum <= this.seqNum) continue;
      if (entry.serverSeqNum > this.seqNum + 1) return false;
      applyEntry(this.state, entry);
      this.seqNum = entry.serverSeqNum;
      this.attempt = attemptPlaceOf(entry) ?? this.attempt;
      this.recent.unshift(entry);
    }
    this.recent.splice(RECENT_MAX);
    return true;
  }
}
