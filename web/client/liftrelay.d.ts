// The browser client of liftrelay. What each thing means in practice: README.md beside this file.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type Op = "set" | "create" | "remove";
export type Transport = "websocket" | "sse" | "ndjson" | "long-poll" | "short-poll";

/** A change that a user wants. `op` is `set` where it is left out; a removal has no value. */
export interface Edit {
  key: string;
  value?: Json;
  op?: Op;
}

/** What stands at a key of `state` now, where another thing stood before; no `value`: nothing stands there any more. */
export interface Change {
  key: string;
  value?: Json;
}

export interface Location {
  locationName: string;
  /** Larger numbers overrule smaller ones. */
  priority: number;
}

export interface OnlineLocation extends Location {
  online: boolean;
  lastSeenAt?: string | null;
  /** Entries of the log that this location has not been sent. */
  behindBy?: number | null;
}

/** The server's origin, `https://hall.example`; left out: where the page came from. */
export interface ServerOption {
  server?: string;
}

export interface CreateOptions extends ServerOption {
  /** 10 to 1,024 characters. */
  password: string;
  /** Which of `locations` this browser is. */
  locationName: string;
  locations: Location[];
  meetName?: string;
  settings?: { [name: string]: Json };
  /** Where the server lets only those create meets who have its key. */
  createKey?: string;
}

export interface JoinOptions extends ServerOption {
  /** Nine digits, however they are grouped. */
  meetId: string;
  password: string;
  locationName: string;
}

/** What the server gave for a password. Enough for `openMeet`; secret, for it opens the meet. */
export interface Session {
  server: string;
  meetId: string;
  locationName: string;
  clientId: string;
  priority: number;
  /** A number that no other client of the meet has, for blocks of ids. */
  slot: number;
  sessionToken: string;
  expiresAt: string;
  recoveryTicket: string;
  ticketVersion: number;
}

/** Who a browser is in a meet. */
export type Identity = Pick<Session, "server" | "meetId" | "locationName" | "clientId" | "priority" | "slot">;

/** A meet in this browser's store. */
export type Saved = Pick<Session, "server" | "meetId" | "locationName">;

export interface OpenOptions {
  /** Buys one new session where the old one has ended. Kept in memory only. */
  password?: string;
  /** As `setConflictFree`, from the first moment on. */
  conflictFree?: boolean;
}

export interface ViewOptions extends ServerOption {
  meetId: string;
  viewKey: string;
}

/** The way to the server: `down` tries again by itself, `refused` wants a new session, `broken` cannot keep edits any more. */
export type Link = "connecting" | "up" | "down" | "refused" | "broken" | "closed";

/** How a meet stands. A new object whenever anything in it changes. */
export interface Status {
  link: Link;
  /** Why the link is not up, for a person. */
  why: string;
  /** What carries news now. */
  transport: Transport;
  /** Edits that the log does not have yet. */
  pending: number;
  /** Those of them that the server has not answered. */
  unanswered: number;
  /** Refused edits that nobody has decided about: the length of `setAside`. */
  conflicts: number;
  /** Number of the last entry of the log that is here. */
  lastNumber: number;
  /** The last number of the server, as last heard. */
  head: number;
  meet: "live" | "recovering" | "finished" | null;
  /** The server's history is another one and is being read; the old one is shown until it is whole. */
  rebuilding: boolean;
  /** Conflict-free mode of this browser: `offline` while what existed before is read-only. */
  conflictFree: "off" | "online" | "offline";
  /** Where edits are kept: anything but `indexeddb` does not outlive all that it should. */
  storage: "indexeddb" | "localstorage" | "memory";
  /** Who holds the stream: a shared worker, this page for others too, another page, or this page for itself. */
  carrier: "worker" | "this-page" | "another-page" | "alone";
  /** Who else is there, about every 15 seconds; empty for a view key. */
  locations: OnlineLocation[];
  viewers: number;
  /** Of a view: the server's time at this moment, in ms since 1970, as well as it is known; by long-polls to the second until there is news. */
  serverNow?: number;
}

/** What stood in the way of a refused edit. */
export interface Standing {
  serverSeqNum: number;
  key: string;
  value?: Json;
  locationName: string;
  priority: number;
}

/** A refused edit: it is not shown and stands in nobody's way until somebody decides. */
export interface SetAside {
  /** Its `localSeqNum`. */
  number: number;
  edit: Edit;
  /** For a person. */
  reason: string;
  /** `overruled`, `removed`, `absent`, `exists`, … (section 8 of the contract); null where the request as a whole was refused. */
  code: string | null;
  standing?: Standing;
}

/** A refused edit of a chain. None of the chain has taken effect. */
export interface ChainRefusal extends SetAside {
  /** Numbers of the edits before it, which nothing keeps out, and of those behind it, which were not looked at. */
  processed: number[];
  remaining: number[];
}

/**
 * What becomes of a refused edit and of those behind it: it is given up, it is given up with all behind it, or only these go on,
 * made anew on top of what is known now.
 */
export type ChainDecision = "drop-this" | "drop-rest" | { keep: number[] };

/** What a chain came to. */
export interface ChainEnd {
  /** Everything that was neither given up nor set aside is in the log. */
  committed: boolean;
  /** Why it is not, for a person. */
  why: string;
}

/** An own entry that stood, and that another location overruled later. */
export interface Overruled {
  number?: number;
  key: string;
  old?: Json;
  byKey: string;
  new?: Json;
  locationName: string;
  priority: number;
  serverSeqNum: number;
}

export interface Entry {
  serverSeqNum: number;
  commit: number;
  opaque?: boolean;
  updateKey: string;
  updateValue?: Json;
  op?: Op;
  locationName: string;
  clientId: string;
  localSeqNum?: number;
  priority: number;
  at: string;
  overrules?: number[];
  previousValue?: Json;
}

export interface Events {
  /** `state` has changed, and not by this page's own `push`. */
  remote: { changes: Change[] };
  /** Own edits were refused and are in `setAside` now; the accompanying change of `state` comes as `remote`. */
  rejected: { setAside: SetAside[] };
  /** Own entries that had been taken were overruled. */
  overruled: { overruled: Overruled[] };
  /** The server's history was replaced. In place of `remote`: all of `changes` may have happened at once. */
  reset: { changes: Change[] };
  /** Of a view: entries of the log as they came, each once, after the change of `state` that they make. */
  relayed: { entries: Entry[] };
}

/** The server or the client said no. */
export class LiveError extends Error {
  /**
   * A code of the contract (`join-rejected`, `read-only`, …), or `edit` (it cannot be made), `storage` (it cannot be kept, or the
   * meet is not here), `unreachable`, `unreadable`, `closed` (call again once the meet is open), `fault` (of the client).
   */
  code: string;
  /** HTTP status; 0 where no server was asked. */
  status: number;
}

/** What every open meet can do, whoever opened it. */
export interface View {
  readonly status: Status;
  /** What is shown: the log, and pending edits on top. Never change it; objects have no prototype. */
  readonly state: { readonly [name: string]: Json };
  /** What stands at a key; undefined where nothing does. */
  get(key: string): Json | undefined;
  /** Calls `listener` with the status now and whenever it changes. Gives the way to stop it. */
  subscribe(listener: (status: Status) => void): () => void;
  /** Gives the way to stop it. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void;
  /** Resolves once every edit was answered and every entry that the server told of is here. */
  settled(): Promise<void>;
  /** This page does without the meet from now on. What was not sent stays in the store. */
  close(): void;
}

/** A meet that this browser edits. */
export interface Meet extends View {
  readonly identity: Identity;
  /** Refused edits that nobody has decided about, oldest first. */
  readonly setAside: readonly SetAside[];
  /**
   * Makes edits that belong together: stored, shown, sent and committed as one. Resolves with their `localSeqNum`s once
   * they are stored and in `state`; rejects with `LiveError` where one cannot be made, and then nothing has changed.
   */
  push(edits: Edit[]): Promise<number[]>;
  /** Wants a refused edit again, now that what refused it is known. */
  retry(number: number): Promise<void>;
  /** Gives a refused edit up. */
  drop(number: number): Promise<void>;
  /**
   * Sends what waits now, as far as one batch takes it, as a chain: committed together or not at all. `decide` is asked about
   * each refusal. Nothing else is sent meanwhile, so a chain that is begun while the server is out of reach waits for it; what
   * was under way before is heard first. Where others are faster three times, the edits go each by itself. A chain that ends
   * otherwise (`committed` is false, or it rejects, or the page is closed) leaves its edits to go by themselves. What sends chains
   * is loaded while the link is up; one that is begun before that and while cut off rejects with `unreachable`.
   */
  syncChain(decide: (refused: ChainRefusal) => ChainDecision | Promise<ChainDecision>): Promise<ChainEnd>;
  /**
   * Conflict-free mode, for all pages of this browser: while the link is not up, what existed before cannot be edited, and own
   * new objects can. It is of the moment: a browser that starts anew has it off.
   */
  setConflictFree(isOn: boolean): Promise<void>;
  /** Whether conflict-free mode and the meet let an edit at this key be made now. */
  isEditable(key: string): Promise<boolean>;
  /** The log behind entry `after`, as far as it is here. */
  log(after?: number): Promise<Entry[]>;
  /** Calls a resource below `/v1/meets/{id}` with this meet's session: `call("POST", "/view-keys", {label: "stream"})`. */
  call(method: string, path: string, body?: Json): Promise<Json>;
  /** Ends the session on the server, and forgets the meet in this browser with all that was not sent. */
  leave(): Promise<void>;
}

/** Makes a meet. One request, no retries; nothing is stored until `openMeet`. */
export function createMeet(options: CreateOptions): Promise<Session>;
/** Joins a meet. A browser that has the meet stays the same client. One request, no retries. */
export function joinMeet(options: JoinOptions): Promise<Session>;
/** Opens a meet to edit it: with the session of `createMeet` or `joinMeet`, or one of `savedMeets` after a reload. */
export function openMeet(meet: Session | Saved, options?: OpenOptions): Promise<Meet>;
/** Opens a meet to look at it, with a view key: redacted, read-only, nothing stored. */
export function viewMeet(options: ViewOptions): Promise<View>;
/** The meets that this browser has in its store. */
export function savedMeets(): Promise<Saved[]>;
