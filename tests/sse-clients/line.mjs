// The line between a client and its server: it is cut on demand, and tells from which id a client asked.

import { connect, createServer } from "node:net";

export class Line {
  /** The `Last-Event-ID` of each request, or "" without one. @type {string[]} */
  askedFrom = [];
  #isCut = false;
  #target;
  /** @type {Set<import("node:net").Socket>} */
  #open = new Set();
  #listener = createServer((socket) => this.#carry(socket));

  /** @param {number} target port of the server */
  constructor(target) {
    this.#target = target;
  }

  async start() {
    await new Promise((resolve) => this.#listener.listen(0, "127.0.0.1", () => resolve(undefined)));
    return /** @type {import("node:net").AddressInfo} */ (this.#listener.address()).port;
  }

  /** Ends what is open, and lets nothing through until `mend`. */
  cut() {
    this.#isCut = true;
    for (const socket of this.#open) socket.resetAndDestroy();
  }

  mend() {
    this.#isCut = false;
  }

  stop() {
    this.cut();
    this.#listener.close();
  }

  /** @param {import("node:net").Socket} socket */
  #carry(socket) {
    if (this.#isCut) return void socket.resetAndDestroy();
    const behind = connect(this.#target, "127.0.0.1");
    let head = "";
    socket.on("data", (piece) => {
      head += piece;
      if (!head.endsWith("\r\n\r\n")) return;
      this.askedFrom.push(/^last-event-id: *(.*?)\r$/im.exec(head)?.[1] ?? "");
      head = "";
    });
    for (const [one, other] of [[socket, behind], [behind, socket]]) {
      this.#open.add(one);
      one.on("error", () => {});
      one.on("close", () => {
        this.#open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}
