// Where records are kept: IndexedDB, localStorage or memory. Records have numbers from 1 on, and a number is given once: where two
// pages append at the same time, one of them is told to look first.

/** @typedef {import("./liftrelay.d.ts").Identity} Identity */
/** @typedef {import("./liftrelay.d.ts").Status} Status */
/** @typedef {import("./replica.js").Record} Record */

/**
 * @typedef {object} Store
 * @property {Status["storage"]} kind
 * @property {() => Promise<Record[]>} load what was appended since the last time, by whoever
 * @property {(records: Record[]) => Promise<boolean>} append all or, where others have appended meanwhile, nothing
 * @property {(identity: Identity) => Promise<void>} remember the meet is one of this browser's
 * @property {() => Promise<Identity | null>} remembered
 * @property {() => Promise<void>} forget all of it
 */

const NAME = "liftrelay";

/**
 * The best store that this browser has.
 * @param {string} key
 * @returns {Promise<Store>}
 */
export async function openStore(key) {
  const database = await openDatabase();
  if (database) return new DatabaseStore(database, key);
  return localText() ? new TextStore(key, /** @type {Storage} */ (localText())) : new MemoryStore();
}

/** @returns {Promise<Identity[]>} */
export async function savedIdentities() {
  const database = await openDatabase();
  if (database) return settled(database.transaction("meets").objectStore("meets").getAll());
  const texts = localText();
  const names = texts ? Object.keys(texts).filter((name) => name.startsWith(`${NAME} meet `)) : [];
  return names.map((name) => JSON.parse(texts?.getItem(name) ?? "null"));
}

/** @type {Promise<IDBDatabase | null> | undefined} */
let opened;

/** @returns {Promise<IDBDatabase | null>} null where there is none, as in some private windows */
function openDatabase() {
  opened ??= new Promise((resolve) => {
    if (typeof indexedDB === "undefined") return resolve(null);
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("records");
      request.result.createObjectStore("meets");
    };
    request.onerror = () => resolve(null);
    request.onsuccess = () => {
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
  });
  return opened;
}

/** @returns {Storage | null} */
function localText() {
  try {
    return typeof localStorage === "undefined" ? null : localStorage;
  } catch {
    return null;
  }
}

/** @implements {Store} */
class DatabaseStore {
  kind = /** @type {const} */ ("indexeddb");
  #database;
  #key;
  #last = 0;

  /**
   * @param {IDBDatabase} database
   * @param {string} key
   */
  constructor(database, key) {
    this.#database = database;
    this.#key = key;
  }

  async load() {
    const range = IDBKeyRange.bound([this.#key, this.#last + 1], [this.#key, Infinity]);
    const records = await settled(this.#database.transaction("records").objectStore("records").getAll(range));
    this.#last += records.length;
    return records;
  }

  /** @param {Record[]} records */
  async append(records) {
    const transaction = this.#writing("records");
    const table = transaction.objectStore("records");
    for (const [place, record] of records.entries()) table.add(record, [this.#key, this.#last + 1 + place]);
    try {
      await done(transaction);
    } catch (error) {
      if (transaction.error?.name === "ConstraintError") return false;
      throw error;
    }
    this.#last += records.length;
    return true;
  }

  /** @param {Identity} identity */
  remember(identity) {
    const transaction = this.#writing("meets");
    transaction.objectStore("meets").put(identity, this.#key);
    return done(transaction);
  }

  async remembered() {
    return (await settled(this.#database.transaction("meets").objectStore("meets").get(this.#key))) ?? null;
  }

  forget() {
    const transaction = this.#writing("meets", "records");
    transaction.objectStore("meets").delete(this.#key);
    transaction.objectStore("records").delete(IDBKeyRange.bound([this.#key, 0], [this.#key, Infinity]));
    return done(transaction);
  }

  /** @param {string[]} names */
  #writing(...names) {
    return this.#database.transaction(names, "readwrite", { durability: "strict" });
  }
}

/** @implements {Store} */
class TextStore {
  kind = /** @type {const} */ ("localstorage");
  #key;
  #texts;
  #last = 0;

  /**
   * @param {string} key
   * @param {Storage} texts
   */
  constructor(key, texts) {
    this.#key = key;
    this.#texts = texts;
  }

  async load() {
    /** @type {Record[]} */
    const records = [];
    for (let text = this.#next(); text !== null; text = this.#next()) {
      records.push(...JSON.parse(text));
      this.#last += 1;
    }
    return records;
  }

  /** @param {Record[]} records */
  async append(records) {
    if (this.#next() !== null) return false;
    this.#texts.setItem(this.#name(this.#last + 1), JSON.stringify(records));
    this.#last += 1;
    return true;
  }

  /** @param {Identity} identity */
  async remember(identity) {
    this.#texts.setItem(`${NAME} meet ${this.#key}`, JSON.stringify(identity));
  }

  async remembered() {
    return JSON.parse(this.#texts.getItem(`${NAME} meet ${this.#key}`) ?? "null");
  }

  async forget() {
    this.#texts.removeItem(`${NAME} meet ${this.#key}`);
    for (let number = 1; this.#texts.getItem(this.#name(number)) !== null; number += 1) this.#texts.removeItem(this.#name(number));
  }

  #next() {
    return this.#texts.getItem(this.#name(this.#last + 1));
  }

  /** @param {number} number */
  #name(number) {
    return `${NAME} ${number} ${this.#key}`;
  }
}

/** @implements {Store} */
export class MemoryStore {
  kind = /** @type {const} */ ("memory");

  /** @returns {Promise<Record[]>} */
  async load() {
    return [];
  }

  async append() {
    return true;
  }

  async remember() {}

  async remembered() {
    return null;
  }

  async forget() {}
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * @param {IDBTransaction} transaction
 * @returns {Promise<void>}
 */
function done(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}
