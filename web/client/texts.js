// Cuts what a stream brings into the texts of its messages, however it was cut on the way.

/** Server-Sent Events: the data of each event. */
export class EventTexts {
  static accept = "text/event-stream";
  #rest = "";
  /** @type {string[]} */
  #data = [];

  /** @param {string} piece */
  push(piece) {
    // A carriage return at the very end may be half of a line's end.
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    const texts = [];
    for (const line of lines) {
      if (line === "" && this.#data.length > 0) texts.push(this.#data.splice(0).join("\n"));
      else if (line.startsWith("data:")) this.#data.push(line.slice(line[5] === " " ? 6 : 5));
    }
    return texts;
  }
}

/** Lines of JSON. */
export class LineTexts {
  static accept = "application/x-ndjson";
  #rest = "";

  /** @param {string} piece */
  push(piece) {
    const lines = (this.#rest + piece).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines.filter((line) => line.trim() !== "");
  }
}
