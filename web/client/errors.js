// What pages are told when something is refused.

import { StoreError } from "./core.js";
import { EditError } from "./edit.js";
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

/** @param {unknown} error */
export function liveError(error) {
  if (error instanceof LiveError) return error;
  if (error instanceof Fault) return new LiveError(error.message, error.code || (error.kind === "unreadable" ? error.kind : "unreachable"), error.status);
  if (error instanceof EditError) return new LiveError(error.message, "edit");
  return new LiveError(error instanceof Error ? error.message : String(error), error instanceof StoreError ? "storage" : "fault");
}
