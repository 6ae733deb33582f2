// A client that reads a stream in a process of its own and writes every event as a line of JSON.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const PATIENCE_MS = 60_000;

/** @typedef {{ event: string, id: string, data: string }} Event */

export class Reader {
  /** @type {Event[]} */
  events = [];
  #child;
  #said = "";

  /** @param {string[]} command */
  constructor([program, ...args]) {
    this.#child = spawn(program, args, { cwd: fileURLToPath(new URL("clients/", import.meta.url)), stdio: ["ignore", "pipe", "pipe"], detached: true });
    createInterface(this.#child.stdout).on("line", (line) => this.events.push(JSON.parse(line)));
    this.#child.stderr.on("data", (text) => (this.#said += text));
    this.#child.on("error", (error) => (this.#said += error.message));
  }

  /** Numbers of the entries that it was sent, in the order in which they came. */
  get numbers() {
    const relays = this.events.filter(({ event }) => event === "update-relay");
    return relays.flatMap(({ data }) => JSON.parse(data).updatesRelayed.map(({ serverSeqNum }) => serverSeqNum));
  }

  /** @param {(event: Event) => boolean} isIt @returns {Promise<Event>} */
  async waitFor(isIt) {
    const until = Date.now() + PATIENCE_MS;
    while (Date.now() < until && this.#child.exitCode === null) {
      const found = this.events.find(isIt);
      if (found) return found;
      await sleep(20);
    }
    throw new Error(`did not come (exit code ${this.#child.exitCode}): ${this.#said}\n${JSON.stringify(this.events)}`);
  }

  /** The event that brings this entry. @param {number} number */
  entry(number) {
    return this.waitFor(({ event, data }) => event === "update-relay" && JSON.parse(data).updatesRelayed.some(({ serverSeqNum }) => serverSeqNum === number));
  }

  /** The heartbeat that has come to this number. @param {number} number */
  heartbeat(number) {
    return this.waitFor(({ event, id }) => event === "heartbeat" && parseInt(id, 10) === number);
  }

  stop() {
    // With whatever it has started.
    if (this.#child.exitCode === null && this.#child.pid) process.kill(-this.#child.pid, "SIGKILL");
  }
}
