// Keeps a replica in step: edits go out, news come in, and what the server has lost goes back, all by itself.

import { meaning, Unfit } from "./answer.js";
import { isNewer, lookAround } from "./around.js";
import { updateOf } from "./edit.js";
import { StoreError } from "./errors.js";
import { Fault } from "./fault.js";
import { Ladder } from "./ladder.js";
import { later } from "./later.js";
import { Requests } from "./requests.js";
import { Retry, SHORT_MS, shortPauseMs } from "./retry.js";
import { Turns } from "./turns.js";

/** @typedef {import("./answer.js").Answer} Answer */
/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./liftrelay.d.ts").Link} Link */
/** @typedef {import("./pending.js").Pending} Pending */
/** @typedef {import("./replica.js").Replica} Replica */

const WAIT_MS = 25000;
/** A session that has ended is tried again so often: somebody may have let it in again. */
const REFUSED_PAUSE_MS = 60000;
/** So long before its end a session is replaced where the password is known: its end would come in the middle of something. */
const RENEW_MS = 3600000;
/** What belongs to a session that was replaced is refused only now, which is no word about the new one: probes take seconds. */
const SESSION_SETTLES_MS = 10000;
/** For so long after an ack a log without its entry shows nothing but that this answer is older. */
const LOSS_SHOWS_MS = 5000;
const LOOK_AROUND_MS = 15000;
/** A look that is so late has slept through; in hidden pages timers may be a minute late without. */
const SLEPT_MS = 120000;

const recovery = () => later(() => import("./recovery.js"), "recovery.js");

export class Live {
  /** @type {{ link: Link, why: string }} */
  link = { link: "connecting", why: "" };
  /** @type {import("./around.js").Around} */
  around = { locations: [], viewers: 0 };
  /** Of those who send edits, until the answer was taken in: a sync chain sends alone. */
  sending = new Turns();
  isClosed = false;
  #core;
  #requests;
  #ladder;
  #password;
  #changed;
  #retry = new Retry();
  /** Pauses of short polls, which anything that happens here ends. */
  #quiet = new Retry();
  #edited = () => {};
  /** A batch that was refused as a whole goes on in parts. */
  #batchMax = Infinity;
  #hasAsked = false;
  #ackedAt = 0;
  #renewedAt = 0;
  #happenedAt = Date.now();
  /** Grows when what is under way is given up; faults of before do not count then. */
  #turn = 0;
  #settling = new Turns();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #looking;
  #lookedAt = Date.now();

  /**
   * @param {Core} core opened
   * @param {string} server
   * @param {string} password empty where nobody has it
   * @param {() => void} changed called when `link`, `around` or `transport` may be another
   */
  constructor(core, server, password, changed) {
    const { identity, credentials } = core.replica;
    this.#core = core;
    this.#requests = new Requests(server, identity?.meetId ?? "", credentials?.sessionToken ?? "");
    this.#ladder = new Ladder(this.#requests);
    this.#password = password;
    this.#changed = changed;
  }

  get transport() {
    return this.#ladder.transport;
  }

  /** Sets out; it goes on until it is closed. */
  start() {
    this.#looking = setInterval(() => this.#look(), LOOK_AROUND_MS);
    void this.#forEver(() => this.#pull());
    void this.#forEver(() => this.#push());
  }

  close() {
    this.isClosed = true;
    this.#setLink("closed");
    clearInterval(this.#looking);
    this.#ladder.close();
    this.wake(false);
  }

  /** Something was edited. */
  edited() {
    this.#happenedAt = Date.now();
    this.#edited();
    this.#quiet.wake();
  }

  /**
   * Ends any pause.
   * @param {boolean} isCutOff whether what is open is likely dead, as after a sleep
   */
  wake(isCutOff) {
    this.#turn += 1;
    if (isCutOff) this.#ladder.reset();
    this.#retry.wake();
    this.edited();
  }

  /**
   * A new password or session, from a page that has just joined.
   * @param {string} password
   */
  renewed(password) {
    const token = this.#core.replica.credentials?.sessionToken;
    this.#password = password || this.#password;
    this.#hasAsked = false;
    if (token === undefined || token === this.#requests.token) return;
    this.#requests.token = token;
    this.#renewedAt = Date.now();
    this.wake(true);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   */
  call(method, path, body) {
    return this.#requests.call(method, path, body);
  }

  /** @param {() => Promise<void>} act */
  async #forEver(act) {
    while (!this.isClosed) {
      try {
        await this.due();
        await act();
      } catch (error) {
        if (this.isClosed) return;
        if (error instanceof StoreError) this.#breakOff(error);
        // A fault in here, or an answer that nobody thought of: neither may end the meet for this browser.
        else this.#isDown(String(error));
      }
    }
  }

  /** @param {StoreError} error */
  #breakOff({ message }) {
    this.isClosed = true;
    this.#setLink("broken", message);
    this.#ladder.close();
  }

  async #pull() {
    await this.#quiet.due();
    const [before, started] = [this.#core.replica.log.head, Date.now()];
    await this.exchange(() => this.#ladder.pull(this.#core.replica.cursor, WAIT_MS));
    const { log, head } = this.#core.replica;
    if (log.head > before) this.#happenedAt = Date.now();
    if (log.head > before || log.head < head || !this.transport.endsWith("-poll")) return;
    // A request that should have been held and was not is a short one, too.
    if (this.transport === "long-poll" && Date.now() - started > SHORT_MS.least) return;
    this.#quiet.pause(shortPauseMs(Date.now() - this.#happenedAt));
  }

  async #push() {
    /** @type {Promise<void>} */
    const edited = new Promise((resolve) => (this.#edited = resolve));
    const isAll = await this.sending.take(async () => {
      // Waiting for the turn may have been long.
      if (this.isClosed) return true;
      const batch = await this.outgoing((replica) => replica.batch().slice(0, this.#batchMax));
      if (batch.length > 0) await this.exchange(() => this.#ladder.push(batch.map(updateOf)), batch);
      return batch.length === 0;
    });
    if (isAll) return edited;
    this.#quiet.wake();
  }

  /**
   * A batch, once it is written down that it goes.
   * @param {(replica: Replica) => Pending[]} choose
   */
  async outgoing(choose) {
    /** @type {Pending[]} */
    let batch = [];
    await this.#core.change((replica) => {
      batch = choose(replica);
      const upTo = batch[batch.length - 1]?.number ?? 0;
      return upTo > replica.sent ? [{ sent: { upTo } }] : [];
    });
    return batch;
  }

  /**
   * Asks, and takes in what comes of it, a fault in place of an answer as well.
   * @param {(requests: Requests) => Promise<Answer>} ask
   * @param {Pending[]} [sent] what goes on in parts where all of it is refused
   */
  async exchange(ask, sent = []) {
    const turn = this.#turn;
    const answer = await ask(this.#requests).catch((error) => (error instanceof Fault ? error : Promise.reject(error)));
    // What answers mean is settled one after the other.
    await this.#settling.take(async () => {
      if (this.isClosed) return;
      if (!(answer instanceof Fault)) await this.#heard(answer);
      else if (turn === this.#turn) await this.#failed(answer, sent);
    });
    return answer;
  }

  /** Resolves when something may be tried. */
  due() {
    return this.#retry.due();
  }

  /** @param {Answer} answer */
  async #heard(answer) {
    this.#doubtLoss(answer);
    /** @type {import("./answer.js").Need | null} */
    let need = null;
    try {
      await this.#core.change((replica) => {
        const meant = meaning(replica, answer);
        need = meant.need;
        return meant.record ? [meant.record] : [];
      });
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      // The same place in the log holds something else here: one of the two histories is another one.
      if (error.isForeign) need = { reset: true };
      else return this.#isDown(error.message);
    }
    this.#cameThrough();
    if (need) await this.#giveBack(need);
    if (isNewer(answer.ticketVersion, this.#core.replica)) await this.#lookAround();
    // What was kept back while another history was read, or was lost, may go now.
    this.#edited();
  }

  /** @param {import("./answer.js").Need} need */
  async #giveBack(need) {
    const { giveBack } = await recovery();
    const fault = await giveBack(this.#core, this.#requests, need);
    if (fault) this.#isDown(`handing the log back to the server: ${fault.message}`, fault.retryAfterMs);
  }

  /**
   * An ack without its entry is believed for a while: the edit is sent again only where the log stays without it.
   * @param {Answer} answer
   */
  #doubtLoss({ acks = [], page }) {
    if (acks.length > 0) this.#ackedAt = Date.now();
    if (!page || Date.now() - this.#ackedAt >= LOSS_SHOWS_MS) return;
    const acked = [...this.#core.replica.pending.values()].map((pending) => pending.acked?.seq ?? 0);
    page.headSeqNum = Math.max(page.headSeqNum, ...acked);
  }

  #cameThrough() {
    this.#retry.succeeded();
    this.#hasAsked = false;
    const wasUp = this.link.link === "up";
    this.#setLink("up");
    if (wasUp) return;
    void this.#lookAround();
    // Loaded before it is needed, while what gives it is there.
    recovery().catch(() => {});
  }

  /**
   * @param {Fault} fault
   * @param {Pending[]} sent
   */
  async #failed(fault, sent) {
    const isLockedOut = fault.kind === "unauthorised" || ["read-only", "join-rejected"].includes(fault.code);
    if (isLockedOut && Date.now() - this.#renewedAt < SESSION_SETTLES_MS) return this.#retry.failed();
    if (isLockedOut) return this.#letInAgain(fault);
    if (fault.kind === "refused" && sent.length > 0) return this.#refused(fault, sent);
    this.#isDown(fault.message, fault.retryAfterMs);
  }

  /**
   * @param {string} why
   * @param {number} [askedMs]
   */
  #isDown(why, askedMs) {
    this.#retry.failed(askedMs);
    this.#setLink("down", why);
  }

  /**
   * A batch was refused as a whole: its parts go by themselves, until the one that is wrong is alone. That one is set aside.
   * @param {Fault} fault
   * @param {Pending[]} sent
   */
  async #refused({ message }, sent) {
    this.#batchMax = sent.length > 1 ? Math.floor(sent.length / 2) : Infinity;
    if (sent.length > 1) return;
    await this.#core.change(() => [{ answered: { refused: [{ number: sent[0].number, reason: message, code: null }] } }]);
    this.#cameThrough();
  }

  /**
   * Either the server has lost the meet, and gets it back with the ticket, or the session has ended, and one new one is asked for.
   * @param {Fault} fault
   */
  async #letInAgain(fault) {
    try {
      const { comeBack, logIn } = await recovery();
      const mayAsk = !this.#hasAsked && this.#password !== "";
      this.#hasAsked = true;
      if ((await comeBack(this.#core, this.#requests)) || (mayAsk && (await logIn(this.#core, this.#requests, this.#password)))) {
        this.#renewedAt = Date.now();
        this.#hasAsked = false;
        this.#ladder.reset();
        return;
      }
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      if (error.isPassing) {
        this.#hasAsked = false;
        return this.#isDown(error.message, error.retryAfterMs);
      }
    }
    this.#retry.pause(REFUSED_PAUSE_MS);
    this.#setLink("refused", fault.message);
  }

  /** Tried once in that time, whatever comes of it: by a clock that is wrong, every session is about to end. */
  async #renew() {
    const now = Date.now();
    const isEnding = Date.parse(this.#core.replica.credentials?.expiresAt ?? "") - now < RENEW_MS;
    if (!isEnding || now - this.#renewedAt < RENEW_MS || this.#hasAsked || this.#password === "") return;
    this.#renewedAt = now;
    this.#hasAsked = true;
    const { logIn } = await recovery();
    if (await logIn(this.#core, this.#requests, this.#password)) this.wake(true);
  }

  #look() {
    if (Date.now() - this.#lookedAt > SLEPT_MS) this.wake(true);
    this.#lookedAt = Date.now();
    void this.#lookAround();
  }

  async #lookAround() {
    if (this.link.link !== "up") return;
    try {
      this.around = (await lookAround(this.#core, this.#requests)) ?? this.around;
      if (!this.isClosed) this.#changed();
      await this.#renew();
    } catch (error) {
      if (error instanceof StoreError) this.#breakOff(error);
    }
  }

  /**
   * @param {Link} link
   * @param {string} [why]
   */
  #setLink(link, why = "") {
    if (this.link.link !== "closed") this.link = { link, why };
    this.#changed();
  }
}
