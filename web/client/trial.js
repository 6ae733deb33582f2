// Whether a stream carries in time. HELLO alone does not prove it: a buffer lets it through where the entries behind it fill the
// buffer, and holds back what comes alone later. So requests go on beside a new stream and tell.

/** Entries in a row that a stream has to bring in time before it is left alone. */
const ROW = 5;
/** A stream that is so far behind a request is not in time: more than the jitter of a busy machine, less than users notice. */
const IN_TIME_MS = 250;
/** A stream that is so far behind a request is held back. */
const HELD_BACK_MS = 1000;

export class Trial {
  #head;
  #row = 0;
  /** The entry that a request was the first to bring, and when. @type {{ seq: number, since: number } | null} */
  #owed = null;
  /** The last entry that a request was the first to bring. */
  #newest = 0;

  /** @param {number} head the head of the log at HELLO: what the stream had all at once proves nothing */
  constructor(head) {
    this.#head = head;
  }

  /** Whether the stream needs no requests beside it. */
  get isOver() {
    return this.#row >= ROW;
  }

  /** When it is held back, unless it brings what it owes before. */
  get deadline() {
    return this.#owed ? this.#owed.since + HELD_BACK_MS : Infinity;
  }

  /**
   * A request has brought entries up to this one, which the stream had not.
   * @param {number} seq
   * @param {number} now
   */
  requestCame(seq, now) {
    this.#newest = seq;
    this.#owed ??= { seq, since: now };
  }

  /**
   * The stream has come to this entry.
   * @param {number} seq
   * @param {number} now
   */
  streamCame(seq, now) {
    const isNews = seq > this.#head;
    if (!this.#owed) {
      if (isNews) this.#row += 1;
    } else if (seq >= this.#owed.seq) {
      this.#row = now - this.#owed.since > IN_TIME_MS ? 0 : this.#row + Number(isNews);
      this.#owed = seq < this.#newest ? { seq: this.#newest, since: now } : null;
    }
  }
}
