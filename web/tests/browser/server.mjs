// The real program, started for a test with a folder of its own.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const PROGRAM = process.env.LIFTRELAY_BIN ?? fileURLToPath(new URL("../../../target/debug/liftrelay", import.meta.url));
const START_MS = 15000;

export class Server {
  #options;
  #folder = "";
  #scheme = "http:";
  #port = 0;
  /** @type {import("node:child_process").ChildProcess | null} */
  #child = null;
  #said = "";

  /** @param {string[]} options */
  constructor(...options) {
    this.#options = options;
  }

  get origin() {
    return `${this.#scheme}//127.0.0.1:${this.#port}`;
  }

  get dataFolder() {
    return join(this.#folder, "data");
  }

  /** On the port that it had before, if it had one. */
  async start() {
    this.#folder ||= await mkdtemp(join(tmpdir(), "liftrelay-pages-"));
    const ready = join(this.#folder, "ready");
    const files = ["--data-dir", join(this.#folder, "data"), "--ready-file", ready];
    await rm(ready, { force: true });
    const child = spawn(PROGRAM, ["serve", ...this.#options, "--listen", `:${this.#port}`, ...files], { stdio: ["ignore", "ignore", "pipe"] });
    this.#child = child;
    child.on("error", (error) => (this.#said += error.message));
    child.stderr.on("data", (text) => (this.#said += text));
    const address = new URL(await this.#readyText(ready));
    [this.#scheme, this.#port] = [address.protocol, Number(address.port)];
    return this;
  }

  /** @param {string} ready */
  async #readyText(ready) {
    const until = Date.now() + START_MS;
    while (Date.now() < until && this.#child?.exitCode === null) {
      const text = await readFile(ready, "utf8").catch(() => "");
      if (text.trim() !== "") return text.trim();
      await sleep(20);
    }
    throw new Error(`${PROGRAM} did not start: ${this.#said}`);
  }

  /** As a power cut would end it. */
  async kill() {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  async remove() {
    await this.kill();
    if (this.#folder !== "") await rm(this.#folder, { recursive: true, force: true });
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{ token?: string, body?: unknown }} [options]
   */
  async send(method, path, { token, body } = {}) {
    const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
    const response = await fetch(`${this.origin}${path}`, { method, headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? null : JSON.parse(text);
  }

  /**
   * A meet with one desk, if nothing else is asked for: a session that edits it, and what an overlay's address needs to show it.
   * @param {object} [asked] further members of the request
   */
  async newMeet(asked = {}) {
    const body = { password: "ten characters", thisLocationName: "desk", locations: [{ locationName: "desk", priority: 1 }], ...asked };
    const { meetId, sessionToken: token } = await this.send("POST", "/v1/meets", { body });
    const id = meetId.replaceAll("-", "");
    const path = `/v1/meets/${id}`;
    const { viewKey, urls } = await this.send("POST", `${path}/view-keys`, { token, body: { label: "overlays" } });
    const push = (/** @type {{ [key: string]: unknown }} */ values) => {
      const updates = Object.entries(values).map(([updateKey, updateValue]) => ({ updateKey, updateValue }));
      return this.send("POST", `${path}/updates`, { token, body: { updates } });
    };
    return { id, path, token, viewKey, urls, push, query: `?meet=${id}#key=${viewKey}` };
  }
}
