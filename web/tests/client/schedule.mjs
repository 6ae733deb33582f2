// Plays one golden schedule. Runs in node and in a browser.

import { meaning, Unfit } from "../../client/answer.js";
import { Chain } from "../../client/chain.js";
import { updateOf } from "../../client/edit.js";
import { EditError } from "../../client/errors.js";
import { Replica } from "../../client/replica.js";
import { changed, changes } from "../../client/state.js";

/** A replica, and what it has stored. */
class Member {
  replica = new Replica();
  /** @type {string[]} */
  stored = [];
  /** @type {Chain | null} */
  chain = null;
  /** What the user has to decide about before the chain goes on. @type {any} */
  conflict = null;

  /** @param {import("../../client/replica.js").Record} record */
  keep(record) {
    this.stored.push(JSON.stringify(record));
    return this.replica.apply(record);
  }

  restart() {
    [this.replica, this.chain] = [new Replica(), null];
    for (const text of this.stored) this.replica.apply(JSON.parse(text));
  }

  /** The next batch as it goes out, marked as sent. */
  batch(batch = this.replica.batch()) {
    const upTo = batch[batch.length - 1]?.number ?? 0;
    if (upTo > this.replica.sent) this.keep({ sent: { upTo } });
    return batch.map(updateOf);
  }

  /** Whether the replica takes what `make` asks of it. @param {() => import("../../client/replica.js").Record} make */
  take(make) {
    try {
      this.keep(make());
      return true;
    } catch (error) {
      if (error instanceof EditError) return false;
      throw error;
    }
  }
}

/**
 * @param {any} one a case of the file
 * @param {(actual: unknown, expected: unknown, message: string) => void} equal
 */
export function play({ name, identity, steps }, equal) {
  const member = new Member();
  member.keep({ joined: identity });
  // As a page has it: it is only told what has changed.
  let copy = plain(member.replica.state);
  for (const [place, step] of steps.entries()) {
    const at = `${name}, step ${place + 1}`;
    const before = member.replica.state;
    const text = JSON.stringify(before);
    carryOut(member, step, (actual, expected) => equal(actual, expected, at));
    equal(standing(member.replica), step.then, at);
    equal(JSON.stringify(before), text, `${at}: what was handed out was changed`);
    copy = changed(copy, plain(changes(before, member.replica.state)));
    equal(plain(copy), step.then.state, `${at}: a page's copy`);
  }
}

/**
 * @param {Member} member
 * @param {any} step
 * @param {(actual: unknown, expected: unknown) => void} equal
 */
function carryOut(member, step, equal) {
  const { replica } = member;
  if (step.edit) equal(member.take(() => replica.edit(step.edit)), step.taken);
  else if (step.retry) equal(member.take(() => replica.retry(step.retry)), step.taken);
  else if (step.drop) equal(member.take(() => replica.drop(step.drop)), step.taken);
  else if (step.batch) equal(plain(member.batch()), step.batch);
  else if (step.restart) member.restart();
  else if (step.reset) member.keep({ reset: true });
  else if (step.conflictFree) replica.isOnlyOwnNew = step.conflictFree === "offline";
  else if (step.chain) member.chain = new Chain(replica);
  else if (step.chainBatch) goOn(member, step, equal);
  else if (step.decide) chainOf(member).decide(replica, member.conflict, step.decide).forEach((record) => member.keep(record));
  else hear(member, step, equal);
}

/** @param {Member} member */
function chainOf({ chain }) {
  if (chain === null) throw new Error("no chain is under way");
  return chain;
}

/**
 * @param {Member} member
 * @param {any} step
 * @param {(actual: unknown, expected: unknown) => void} equal
 */
function goOn(member, { chainBatch, mode, ifHead, interrupted }, equal) {
  const { replica } = member;
  const chain = chainOf(member);
  equal(plain(member.batch(chain.batch(replica))), chainBatch);
  if (chainBatch.length === 0) equal(chain.interruption(replica) !== "", interrupted);
  else equal([chain.mode, chain.mode === "atomic" ? replica.cursor : null], [mode, ifHead]);
}

/**
 * @param {Member} member
 * @param {any} step
 * @param {(actual: unknown, expected: unknown) => void} equal
 */
function hear(member, step, equal) {
  try {
    const { kind, page } = step.hear;
    const isOfChain = kind === "conflict" || kind === "stale";
    // What has come along with a refusal is a page of the log like any other.
    const { record, need } = meaning(member.replica, isOfChain ? { kind: "done", page } : step.hear);
    const { settled, refused, overruled, everything } = record ? member.keep(record) : { settled: [], refused: [], overruled: [], everything: false };
    equal(need ?? {}, step.need);
    equal({ settled, refused, overruled: overruled.map((told) => [told.number ?? null, told.byKey, told.serverSeqNum]), everything }, step.news);
    if (kind === "conflict") member.conflict = step.hear;
    if (kind === "stale") chainOf(member).stale(member.replica);
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    equal(true, step.unfit ?? false);
  }
}

/** @param {Replica} replica */
function standing(replica) {
  return {
    state: plain(replica.state),
    pending: [...replica.pending.values()].map(({ number, after, shown }) => [number, after, shown]),
    setAside: [...replica.setAside.values()].map(({ number, code }) => [number, code]).sort(([one], [two]) => Number(one) - Number(two)),
    cursor: replica.cursor,
    numbers: [replica.unanswered.length, replica.log.head, replica.head],
    meet: replica.meet,
    rebuilding: replica.rebuild !== null,
  };
}

/** With prototypes, as parsed JSON has them. @param {unknown} value */
const plain = (value) => JSON.parse(JSON.stringify(value));

