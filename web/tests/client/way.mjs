// What may lie between a browser and a server: a proxy that answers, cuts, holds back or swallows on demand. It serves the files of
// `web/` itself, so that pages have them as they are on the disk.

import { createServer, request as ask } from "node:http";
import { connect } from "node:net";
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

const WEB = new URL("../../", import.meta.url);
const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".json": "application/json", ".html": "text/html", ".css": "text/css" };

/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */

export class Way {
  /** Requests that came, as `METHOD path?query`. @type {string[]} */
  asked = [];
  /** Answers in the server's place where it gives true. @type {(request: Request, response: Response) => boolean} */
  intercept = () => false;
  /** Files that pages took. @type {string[]} */
  taken = [];
  /** Files that are not to be had. @type {(name: string) => boolean} */
  lacks = () => false;
  /** Upgrades to WebSockets are let through. */
  upgrades = true;
  /** What a stream brings is kept back, HELLO aside. */
  holdsBack = false;
  /** Nothing comes back, and nothing ends. */
  swallows = false;
  #origin;
  #server = createServer((request, response) => void this.#carry(request, response));
  /** @type {Set<import("node:stream").Duplex>} */
  #open = new Set();

  /** @param {string} origin of the server behind */
  constructor(origin) {
    this.#origin = new URL(origin);
    this.#server.on("connection", (socket) => {
      this.#open.add(socket);
      socket.on("close", () => this.#open.delete(socket));
      socket.on("error", () => {});
    });
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  get origin() {
    const address = /** @type {import("node:net").AddressInfo} */ (this.#server.address());
    return `http://127.0.0.1:${address.port}`;
  }

  async start() {
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", () => resolve(undefined)));
    return this;
  }

  /** Ends whatever is open. */
  cut() {
    for (const socket of this.#open) socket.destroy();
  }

  /** Lets nothing through any more; resolves when a chain has tried to. What was sent before it is lost by then. @returns {Promise<void>} */
  loseUntilChain() {
    this.upgrades = false;
    return new Promise((resolve) => {
      this.intercept = (request, response) => {
        let body = "";
        request.on("data", (piece) => (body += piece));
        request.on("end", () => {
          response.destroy();
          if (body.includes('"atomic"')) resolve();
        });
        return true;
      };
      this.cut();
    });
  }

  /** @returns {Promise<void>} */
  stop() {
    this.cut();
    return new Promise((resolve) => void this.#server.close(() => resolve()));
  }

  /**
   * @param {Request} request
   * @param {Response} response
   */
  async #carry(request, response) {
    const path = request.url ?? "";
    if (!/^\/(v1|app)\//.test(path)) return void this.#file(path, response);
    this.asked.push(`${request.method} ${path}`);
    if (this.swallows || this.intercept(request, response)) return;
    const { hostname, port } = this.#origin;
    const behind = ask({ hostname, port, path, method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      let isFirst = true;
      answer.on("data", (piece) => {
        if (this.swallows || (this.holdsBack && !isFirst && path.includes("/events"))) return;
        isFirst = false;
        response.write(piece);
      });
      answer.on("end", () => response.end());
      answer.on("error", () => response.destroy());
    });
    behind.on("error", () => response.destroy());
    response.on("close", () => behind.destroy());
    request.pipe(behind);
  }

  /**
   * @param {Request} request
   * @param {import("node:stream").Duplex} socket
   * @param {Buffer} head
   */
  #upgrade(request, socket, head) {
    this.asked.push(`UPGRADE ${request.url}`);
    if (this.swallows) return;
    if (!this.upgrades) return void socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    const behind = connect(Number(this.#origin.port), this.#origin.hostname, () => {
      const headers = request.rawHeaders.flatMap((name, place, all) => (place % 2 === 0 ? [`${name}: ${all[place + 1]}`] : []));
      behind.write(`GET ${request.url} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`);
      behind.write(head);
      socket.pipe(behind);
      behind.on("data", (piece) => void (this.swallows || socket.write(piece)));
    });
    for (const [one, other] of [[socket, behind], [behind, socket]]) {
      one.on("error", () => {});
      one.on("close", () => other.destroy());
    }
  }

  /**
   * @param {string} path
   * @param {Response} response
   */
  async #file(path, response) {
    const name = new URL(path, "http://h").pathname.replace(/^\/web\//, "");
    const vectors = name.match(/^\/vectors\/([a-z-]+\.json)$/);
    const page = name === "/" ? "tests/client/page.html" : name.replace(/^\/overlay\/[a-z-]+$/, "overlay/page.html");
    const file = vectors ? new URL(`../tests/vectors/${vectors[1]}`, WEB) : new URL(page, WEB);
    if (this.lacks(name)) return void response.destroy();
    try {
      const text = await readFile(fileURLToPath(file));
      response.writeHead(200, { "Content-Type": TYPES[/** @type {keyof typeof TYPES} */ (extname(file.pathname))] ?? "application/octet-stream" });
      response.end(text);
      this.taken.push(name);
    } catch {
      response.writeHead(404).end();
    }
  }
}
