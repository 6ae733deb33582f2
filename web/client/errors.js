// What pages are told when something is refused.

import { Fault } from "./fault.js";

/** The server or the client said no. */
export class LiveError extends Error {
  /**
   * @param {string} message
   * @param {string} code
   * @param {number} [status]
   */
  constructor(message, code, status = 0) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** An edit that cannot be made. Nothing has changed. */
export class EditError extends LiveError {
  /** @param {string} message */
  constructor(message) {
    super(message, "edit");
  }
}

/** Edits cannot be kept: nothing may go on. */
export class StoreError extends LiveError {
  /** @param {string} message */
  constructor(message) {
    super(message, "storage");
  }
}

/** @param {unknown} error */
export function liveError(error) {
  if (error instanceof LiveError) return error;
  if (error instanceof Fault) return new LiveError(error.message, error.code || (error.kind === "unreadable" ? error.kind : "unreachable"), error.status);
  return new LiveError(String(error), "fault");
}
