// What can go wrong between a browser and a server.

/**
 * A call came to nothing. Whether it had effects is not known unless the kind says so.
 *
 * - `unreachable`: no connection, or it broke
 * - `cut`: a proxy answered in the server's place, or the answer was cut: a shorter wait may get through
 * - `busy`: the server or something on the way asks to come back later (408, 425, 429, 5xx)
 * - `unauthorised`: the session is not valid; nothing took effect
 * - `refused`: refused for good; nothing took effect
 * - `unreadable`: what came back is not what the contract says
 * @typedef {"unreachable" | "cut" | "busy" | "unauthorised" | "refused" | "unreadable"} Kind
 */

export class Fault extends Error {
  /**
   * @param {Kind} kind
   * @param {string} message for a person
   * @param {{ status?: number, code?: string, retryAfterMs?: number }} [more] `code` is one of the contract's
   */
  constructor(kind, message, { status = 0, code = "", retryAfterMs } = {}) {
    super(message);
    this.kind = kind;
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same call may succeed later without anything being done about it. */
  get isPassing() {
    return this.kind !== "unauthorised" && this.kind !== "refused";
  }
}

/**
 * What a response that is no success says.
 * @param {number} status
 * @param {any} problem the problem that it holds, null where it holds none
 * @param {string | null} [retryAfter] the header
 */
export function faultOf(status, problem, retryAfter = null) {
  const asked = Number(retryAfter?.trim() || NaN);
  const seconds = Number.isFinite(asked) ? asked : problem?.retryAfterSeconds;
  return new Fault(kindOf(status, problem !== null), problem?.detail || `HTTP ${status}`, {
    status,
    code: problem?.code,
    retryAfterMs: seconds === undefined ? undefined : 1000 * seconds,
  });
}

/**
 * @param {number} status
 * @param {boolean} isOurs
 * @returns {Kind}
 */
function kindOf(status, isOurs) {
  if (status === 401 && isOurs) return "unauthorised";
  // Said by something in between, these mean that it did not get, or did not wait for, the server's answer.
  if (!isOurs && [500, 502, 503, 504].includes(status)) return "cut";
  if (status >= 500 || [408, 425, 429].includes(status)) return "busy";
  // A hall's network that wants a login says nothing about an edit; something that finds a request too large does.
  return isOurs || (status >= 400 && ![401, 403, 404, 407].includes(status)) ? "refused" : "unreadable";
}
