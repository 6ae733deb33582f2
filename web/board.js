// The attempt board and the feed in the page. Whatever comes from a meet goes in as text, never as markup.

import { LIFTS } from "./meet-view.js";

/** @typedef {import("./meet-view.js").Board} Board */
/** @typedef {import("./meet-view.js").Row} Row */
/** @typedef {import("./meet-view.js").Attempt} Attempt */
/** @typedef {import("./meet-view.js").AttemptPlace} AttemptPlace */
/** @typedef {import("./meet-view.js").FeedLine} FeedLine */
/** @typedef {{ kind: string, text: string, key: string }} Cell */

const MARK_MS = 4000;
const EMPTY = "–";

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {{ className?: string, text?: string }} [options]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(name, { className, text } = {}, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

/** Keeps a table in step with a board; touches only the cells that changed. */
export class BoardTable {
  #table;
  #columns = "";
  /** @type {Map<string, { line: HTMLTableRowElement, shown: string[] }>} */
  #lines = new Map();
  /** @type {HTMLElement | null} */
  #marked = null;
  #unmark = 0;

  /** @param {HTMLTableElement} table */
  constructor(table) {
    this.#table = table;
  }

  /** @param {Board} board */
  show(board) {
    const columns = JSON.stringify([board.columns, board.unit]);
    if (columns !== this.#columns) {
      this.#columns = columns;
      this.#lines.clear();
      this.#table.tHead?.replaceChildren(...headLines(board));
      this.#body.replaceChildren();
    }
    const ids = new Set(board.rows.map((row) => row.id));
    for (const [id, { line }] of this.#lines) {
      if (!ids.has(id)) {
        line.remove();
        this.#lines.delete(id);
      }
    }
    board.rows.forEach((row, position) => this.#showRow(row, position));
  }

  /**
   * Marks an attempt for a moment.
   * @param {AttemptPlace} place
   */
  mark({ id, lift, index }) {
    this.#clearMark();
    const cell = this.#lines.get(id)?.line.querySelector(`[data-attempt="${lift}-${index}"]`);
    if (!(cell instanceof HTMLElement)) return;
    void cell.offsetWidth;
    cell.classList.add("changed");
    this.#marked = cell;
    this.#unmark = window.setTimeout(() => this.#clearMark(), MARK_MS);
  }

  #clearMark() {
    window.clearTimeout(this.#unmark);
    this.#marked?.classList.remove("changed");
    this.#marked = null;
  }

  get #body() {
    return this.#table.tBodies[0];
  }

  /**
   * @param {Row} row
   * @param {number} position
   */
  #showRow(row, position) {
    const cells = cellsOf(row);
    const known = this.#lines.get(row.id) ?? { line: newLine(cells), shown: [] };
    this.#lines.set(row.id, known);
    cells.forEach((cell, column) => {
      const wanted = `${cell.kind} ${cell.text}`;
      if (known.shown[column] !== wanted) fill(known.line.cells[column], cell);
      known.shown[column] = wanted;
    });
    const there = this.#body.rows[position] ?? null;
    if (there !== known.line) this.#body.insertBefore(known.line, there);
  }
}

/**
 * @param {Row} row
 * @returns {Cell[]}
 */
function cellsOf(row) {
  const attempts = LIFTS.flatMap((lift) =>
    row.attempts[lift].map(({ weight, result }, index) => ({ kind: result, text: weight, key: `${lift}-${index}` })),
  );
  return [
    { kind: "name", text: row.name, key: "" },
    { kind: "sex", text: row.sex, key: "" },
    { kind: "divisions", text: row.divisions, key: "" },
    { kind: "weight", text: row.bodyweight, key: "" },
    ...attempts,
    { kind: "sum", text: row.subtotal, key: "" },
    { kind: "sum total", text: row.total, key: "" },
  ];
}

/** @param {Cell[]} cells */
function newLine(cells) {
  const line = element("tr");
  for (const { kind, key } of cells) {
    const cell = element(kind === "name" ? "th" : "td");
    if (kind === "name") cell.scope = "row";
    if (key !== "") cell.dataset.attempt = key;
    if (key.endsWith("-0") || kind === "sum") cell.dataset.first = "";
    line.append(cell);
  }
  return line;
}

/**
 * @param {HTMLElement} place
 * @param {Cell} cell
 */
function fill(place, { kind, text, key }) {
  const isMarked = place.classList.contains("changed");
  place.className = key === "" ? kind : `attempt ${kind}`;
  place.classList.toggle("changed", isMarked);
  if (kind === "good") place.replaceChildren(text, element("span", { className: "unseen", text: " good lift" }));
  else if (kind === "missed") place.replaceChildren(element("s", { text }), element("span", { className: "unseen", text: " no lift" }));
  else place.textContent = text || EMPTY;
  place.classList.toggle("empty", text === "");
}

/** @param {Board} board */
function headLines({ columns, unit }) {
  const single = (/** @type {string} */ text, className = "") => {
    const cell = element("th", { className, text });
    cell.rowSpan = 2;
    cell.scope = "col";
    return cell;
  };
  const groups = LIFTS.map((lift) => {
    const cell = element("th", { text: lift[0].toUpperCase() + lift.slice(1) });
    cell.colSpan = columns[lift];
    cell.scope = "colgroup";
    cell.dataset.first = "";
    return cell;
  });
  const numbers = LIFTS.flatMap((lift) =>
    Array.from({ length: columns[lift] }, (_, index) => {
      const cell = element("th", { text: String(index + 1) });
      cell.scope = "col";
      if (index === 0) cell.dataset.first = "";
      return cell;
    }),
  );
  const subtotal = single("Subtotal", "sum");
  subtotal.dataset.first = "";
  return [
    element("tr", {}, single("Lifter", "name"), single("Sex", "sex"), single("Division", "divisions"), single(`Bodyweight (${unit})`, "weight"), ...groups, subtotal, single("Total", "sum")),
    element("tr", {}, ...numbers),
  ];
}

/**
 * @param {HTMLElement} body
 * @param {FeedLine[]} lines
 */
export function showFeed(body, lines) {
  body.replaceChildren(
    ...lines.map(({ number, key, value, location }) =>
      element(
        "tr",
        {},
        element("td", { className: "number", text: String(number) }),
        element("td", {}, element("code", { text: key })),
        element("td", {}, element("code", { text: value })),
        element("td", { text: location }),
      ),
    ),
  );
}
