//! Every limit of liftrelay: its name, its number, and why it is that number.
//!
//! The numbers that clients see are part of the wire contract; the others protect one
//! server of a few cores. Each is refused by name where it is passed.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

// ---- What clients may send -------------------------------------------------------------

/// Shortest password in characters. The OpenLifter Live design asks for ten.
pub const PASSWORD_MIN_CHARS: usize = 10;
/// Longest password in characters; a bound for the hash's input, far above any passphrase.
pub const PASSWORD_MAX_CHARS: usize = 1_024;
/// Locations a meet can have: the largest known meets use about ten.
pub const LOCATIONS_MAX: usize = 64;
/// Characters in a name of a location, meet, client or view-key label; fits on one line of a screen.
pub const NAME_MAX_CHARS: usize = 64;
/// Bytes of a key in canonical form; the longest one OpenLifter makes has about 60.
pub const KEY_MAX_BYTES: usize = 512;
/// Segments of a key; OpenLifter's deepest has four.
pub const KEY_MAX_SEGMENTS: usize = 32;
/// Bytes of a value in canonical form; a whole meet of 467 lifters is about 240 KB.
pub const VALUE_MAX_BYTES: usize = 256 * 1024;
/// How deep arrays and objects of a value may nest; bounds recursion at both ends.
pub const NESTING_MAX: usize = 64;
/// Updates in one batch; a whole offline day is about 1,000.
pub const BATCH_MAX_UPDATES: usize = 10_000;
/// Bytes of a request body; holds a batch of 10,000 typical updates.
pub const BODY_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of a too large body that are read before it is refused: a whole log or a photo sent by mistake gets its answer.
pub const BODY_DISCARD_MAX_BYTES: usize = 8 * BODY_MAX_BYTES;
/// Pause in a too large body after which it is refused: the sender may be waiting for the answer.
pub const BODY_DISCARD_PAUSE: Duration = Duration::from_secs(1);
/// Entries in one page of a log that is handed back; the largest real meet takes two.
pub const RESTORE_MAX_ENTRIES: usize = 10_000;
/// Clients of one meet that may be in the middle of handing back their logs. Of more, the one that was silent longest starts again.
pub const UPLOADS_MAX: usize = 64;
/// How long a meet that comes back from its clients waits for the others once one has handed back its whole log: two reconnects of a browser.
pub const RECOVERY_WAIT: Duration = Duration::from_secs(10);
/// Entries that one meet collects from all its clients while no key vouches for them: ten clients with the largest log that is foreseen.
pub const UNPROVEN_MAX_ENTRIES: usize = 1_000_000;
/// Bytes of those entries, as they are stored; they are held in memory until the meet takes updates.
pub const UNPROVEN_MAX_BYTES: usize = 256 * 1024 * 1024;
/// The same of all meets together: whoever makes up meets one after the other must not fill the memory of a small server.
pub const UNPROVEN_ALL_MAX_BYTES: usize = 512 * 1024 * 1024;
/// Largest sequence number plus one: JavaScript counts exactly below 2^53.
pub const SEQ_END: u64 = 1 << 53;
/// Largest distance of a priority from zero; exact in JavaScript and in 32 bits.
pub const PRIORITY_MAX: i64 = 1_000_000_000;
/// Patterns in `settings.privatePaths`; each private key costs a look at every entry.
pub const PRIVATE_PATHS_MAX: usize = 64;
/// Keys in `paths=`: each costs a comparison for every entry of a filtered stream.
pub const PATHS_MAX: usize = 64;
/// View keys alive in one meet: ten OBS sources, displays, and room for forgotten ones.
pub const VIEW_KEYS_MAX: usize = 256;
/// Longest life of a view key: ten years, so that sums of times cannot overflow.
pub const VIEW_KEY_MAX_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);
/// Members of an object up to which they are kept in order; above, they are hashed. What OpenLifter keeps of a lifter has 40.
pub const MEMBERS_FEW: usize = 64;
/// Clients that one meet can number (slots are handed out for its whole life).
pub const CLIENTS_MAX: usize = 100_000;

// ---- What a reply holds ----------------------------------------------------------------

/// Entries in a page when `limit` is left out.
pub const PAGE_DEFAULT_ENTRIES: usize = 1_000;
/// Largest `limit`; a page never splits a commit, so it can be passed by one batch.
pub const PAGE_MAX_ENTRIES: usize = 10_000;
/// Bytes of entries in a page of more than one commit: a client that hands the log back can prove it only where pages ended,
/// so what lies between two ends has to fit into one body.
pub const PAGE_MAX_BYTES: usize = 3 * 1024 * 1024;
/// Longest `wait`: below the idle limit of every common proxy (30 s and up).
pub const WAIT_MAX: Duration = Duration::from_secs(25);
/// Longest `maxSeconds`: a day, longer than any meet session streams.
pub const STREAM_MAX_SECONDS: u64 = 86_400;
/// Largest `padding` in KiB: some proxies hold the first 8 to 32 KiB back.
pub const PADDING_MAX_KIB: usize = 64;

// ---- Streams ---------------------------------------------------------------------------

/// Pause between heartbeats: a dead link shows within half a minute.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// A reader that accepts nothing for so long is closed and resumes from its cursor.
pub const STALLED_WRITE: Duration = Duration::from_secs(30);
/// A socket that has said nothing for so long, not even a pong, is gone: three heartbeats.
pub const SOCKET_SILENT: Duration = Duration::from_secs(45);
/// A socket that follows no meet and has had nothing answered for so long only takes up room.
pub const SOCKET_IDLE: Duration = Duration::from_secs(60);
/// Time for the other end of a socket to agree to its end; within [`SHUTDOWN_GRACE`].
pub const SOCKET_CLOSING: Duration = Duration::from_millis(500);
/// Streams, sockets that follow and long-polls that wait, of one token at once: a hall that follows one view key on its phones, and
/// ten overlays on every machine. A flood of one token leaves nearly all connections to the others.
pub const STREAMS_PER_TOKEN: usize = 500;
/// Shortest pause that `retry:` asks for; [`RETRY_JITTER`] comes on top.
pub const RETRY_MIN: Duration = Duration::from_millis(1_000);
/// Width of the jitter of `retry:`, so that a hall does not reconnect in one instant.
pub const RETRY_JITTER: Duration = Duration::from_millis(2_000);
/// Bytes of entries in one event of a reader that has fallen behind: what a stalled one can hold in memory.
pub const EVENT_MAX_BYTES: usize = 256 * 1024;
/// Bytes of encoded frames that one meet keeps ready; a reader further behind re-reads the log.
pub const FRAMES_MAX_BYTES: usize = 1024 * 1024;
/// Filters for which a frame keeps its event encoded: more than the overlays of a hall use. Readers of others share it in lanes only.
pub const FRAME_FILTERS_MAX: usize = 16;
/// Bytes of answered pages that a meet keeps ready until its head moves: the largest page, and what is waited for.
pub const PULLED_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that collect while a round of a lane is under way and go out in the next one: what each reader that stalls in it can hold.
pub const ROUND_MAX_BYTES: usize = 64 * 1024;
/// Sends of a round after which others get a turn: a quarter of a millisecond, for an answer that comes meanwhile waits so long.
pub const ROUND_SLICE: usize = 64;
/// A location counts as online so long after its last request (a long-poll lasts up to 25 s).
pub const ONLINE_FOR: Duration = Duration::from_secs(40);

// ---- Sessions and passwords ------------------------------------------------------------

/// Life of a session; the design says seven days.
pub const SESSION_LIFE: Duration = Duration::from_secs(7 * 86_400);
/// Time after which a token that opens nothing is refused, whether its meet is there or not: longer than looking for a meet takes.
pub const REFUSAL_AFTER: Duration = Duration::from_millis(10);
/// Sessions alive in one meet; the one that ends first makes room.
pub const SESSIONS_MAX: usize = 10_000;
/// Logins that may wait for a thread to hash on; at 0.2 s each the last waits a few seconds.
pub const LOGIN_QUEUE: usize = 32;
/// New meets that may wait for one; a queue of their own, so that a flood of them keeps nobody from joining.
pub const CREATE_QUEUE: usize = 8;
/// Addresses whose failed logins are remembered before those that may try again are forgotten.
pub const ADDRESSES_KEPT: usize = 10_000;
/// Failed logins that one address may make on one meet in a burst, and per minute afterwards; `--failed-logins-per-meet` sets another number.
pub const FAILED_LOGINS_PER_MEET: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// Failed logins that one address may make in a burst, and per minute afterwards: a whole hall is one address.
/// `--failed-logins-per-address` sets another number.
pub const FAILED_LOGINS_PER_ADDRESS: NonZeroU32 = NonZeroU32::new(60).unwrap();

// ---- Finishing and publishing ------------------------------------------------------------

/// How often finished meets that are old enough are looked for; they are kept for days.
pub const FINISHED_SWEEP: Duration = Duration::from_secs(3_600);
/// Bytes of the address that OpenPowerlifting answers to: the most that mail can carry (RFC 5321).
pub const EMAIL_MAX_BYTES: usize = 254;
/// Publishes of one meet: results go out once, and again after each correction. The oldest that nobody waits for makes room.
pub const PUBLISHES_MAX: usize = 64;
/// Characters that a value from the results may take in a mail; no federation or meet has a longer name.
pub const MAIL_VALUE_MAX_CHARS: usize = 200;
/// Hand-overs on their way at once: a webhook that was down must not be hit by all meets together.
pub const HANDOVERS_AT_ONCE: usize = 4;
/// Time for a webhook to take 4 MiB and to answer.
pub const HANDOVER_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after a first hand-over that failed; each further one is twice as long.
pub const HANDOVER_PAUSE_MIN: Duration = Duration::from_secs(2);
/// Longest pause between hand-overs, unless a webhook asks for more.
pub const HANDOVER_PAUSE_MAX: Duration = Duration::from_secs(900);
/// How long handing over is tried: over a weekend, until somebody is back who can mend the other end.
pub const HANDOVER_HOURS: u64 = 72;

// ---- The server ------------------------------------------------------------------------

/// Fewest threads that answer requests; otherwise there is one for each core. A batch of the most updates keeps one of them busy for a
/// tenth of a second, and nobody else may wait for that.
pub const WORKERS_MIN: usize = 2;
/// Connections at once, where the system allows so many descriptors; each costs one and some kilobytes.
/// `--max-connections` sets another number.
pub const CONNECTIONS_MAX: NonZeroUsize = NonZeroUsize::new(20_000).unwrap();
/// One connection of so many is kept from viewers, for those who have yet to say who they are: 2,500 of 20,000, so that among a thousand
/// new connections a second an editor still has two seconds to show its token.
pub const CONNECTIONS_PER_KEPT: usize = 8;
/// Connections at once to the address of `--metrics-listen`: collectors, probes, and a person who looks.
pub const OPERATOR_CONNECTIONS_MAX: usize = 64;
/// Descriptors that no connection may take: logs, documents, listeners.
pub const DESCRIPTORS_RESERVED: u64 = 200;
/// Earlier states that are folded at once; each takes a thread for as long as the log is long.
pub const FOLDS_MAX: usize = 2;
/// Bytes of standing values that the refusals of one reply show; further ones leave the value out.
pub const STANDING_MAX_BYTES: usize = 1024 * 1024;
/// How often a timer runs out for no other reason than that one is about to. Whoever starts a timer that ends before all others wakes the
/// thread that waits for sockets, so that it waits for less long; without this one that would be whoever waits for a request's head.
pub const TIMER_TICK: Duration = Duration::from_secs(1);
/// Time for a request's head to arrive; also how long an idle kept-alive connection, or one of HTTP/2 without a stream, stays.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for a request's body to arrive: 4 MiB over a slow hall network.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a body or message that any connection may hold before it is whole, whatever the others do.
pub const UNFINISHED_FREE_BYTES: usize = 64 * 1024;
/// Bytes beyond that in all connections together: sixty-four of the largest bodies at once, on a server of a few gigabytes.
pub const UNFINISHED_MAX_BYTES: usize = 256 * 1024 * 1024;
/// Bytes that a connection buffers, and with that the largest request head.
pub const CONNECTION_BUFFER_BYTES: usize = 64 * 1024;
/// Bytes of a request's head of which a copy is kept, so that the next long-poll of its connection is known by it: a browser's heads are
/// smaller, and whoever sends larger ones is served all the same.
pub const HEARD_MAX_BYTES: usize = 8 * 1024;
/// Bytes that a client may send while its long-poll waits before no more is read; what comes then is the next request.
pub const AHEAD_MAX_BYTES: usize = 16 * 1024;
/// Bytes that the kernel keeps for one unread connection; its default lets a stalled reader hold 4 MB.
pub const SEND_BUFFER_BYTES: u32 = 256 * 1024;
/// Requests that wait for a meet's writer; more get `overloaded`.
pub const MAILBOX: usize = 1_024;
/// Requests that share one fsync at most.
pub const GROUP_MAX: usize = 256;
/// Pause between attempts to write again after the disk failed: soon enough for a meet, rare enough for a full disk.
pub const RENEW_EVERY: Duration = Duration::from_secs(2);
/// Bytes that one append collects before it is synced.
pub const GROUP_MAX_BYTES: usize = 8 * 1024 * 1024;
/// Spaces that are written behind a log at once, for a sync of a file that does not grow takes half as long: about two hundred updates.
pub const RESERVE_MAX_BYTES: u64 = 64 * 1024;
/// The same for a short log: a block, which it takes on the disk anyway.
pub const RESERVE_MIN_BYTES: u64 = 4 * 1024;
/// Entries from which on a closed meet leaves a checkpoint: reading a log of fewer takes no longer than reading one.
pub const CHECKPOINT_MIN_ENTRIES: u64 = 1_000;
/// Bytes of a checkpoint that is written and read: seventy times the state of the largest real meet.
pub const CHECKPOINT_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Bytes at the end of a log that are read with its checkpoint: the last few hundred entries, for readers who were away for a moment.
/// Whoever needs earlier ones waits until the whole log is read.
pub const CHECKPOINT_TAIL_BYTES: u64 = 256 * 1024;
/// Time that open meets get to leave their checkpoints when the server stops; one without is read whole at its next opening.
pub const CHECKPOINTS_GRACE: Duration = Duration::from_secs(1);
/// A meet that nobody touched for so long is closed; the next touch opens it again.
pub const IDLE_CLOSE: Duration = Duration::from_secs(600);
/// Time between SIGTERM and the end of the process that open requests get; and once more, as long as connections went on ending in it.
pub const SHUTDOWN_GRACE: Duration = Duration::from_millis(700);
/// Time after SIGTERM from which the process waits no further: half of what the service manager gives it (`TimeoutStopSec`).
pub const SHUTDOWN_MAX: Duration = Duration::from_secs(5);
/// Time that a connection gets to end once it was told to; one whose other end is gone would never answer.
pub const CLOSING_GRACE: Duration = Duration::from_secs(2);
/// Bytes of `diag.log` after which it is moved aside; with the one before it takes twice that.
pub const DIAG_LOG_MAX_BYTES: u64 = 16 * 1024 * 1024;

// ---- TLS and HTTP/2 --------------------------------------------------------------------

/// Time for a TLS handshake: two round trips, and a slow phone's arithmetic.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes that are read at once of a connection under TLS: the longest record that there may be (RFC 8446, section 5.2), with its head.
pub const TLS_READ_BYTES: usize = 16 * 1024 + 256 + 5;
/// Bytes that may have come of a message in several records without its end: no handshake message is longer than some kilobytes.
pub const TLS_INCOMING_MAX_BYTES: usize = 64 * 1024;
/// Bytes that are sealed for a socket which has not taken them yet: what each reader that stalls holds of its own.
pub const TLS_SEALED_BYTES: usize = 64 * 1024;
/// Bytes of several pieces that are put into one record: a head and a small body. Copying more costs as much as a second record.
pub const TLS_GATHERED_BYTES: usize = 4 * 1024;
/// A certificate that ends within so long is warned of; those who renew by themselves do it a month before.
pub const CERTIFICATE_ENDS_SOON: Duration = Duration::from_secs(14 * 86_400);
/// Streams open at once on one HTTP/2 connection: a browser with ten overlays and everything that they fetch, three times over.
pub const HTTP2_STREAMS_MAX: u32 = 128;
/// Streams that a client may reset before the server has looked at them; only an attack has more, and loses its connection.
pub const HTTP2_EARLY_RESETS_MAX: usize = 20;
/// Streams that the server resets for a client's mistakes before it ends the connection: many for a slip, few for a flood.
pub const HTTP2_ERROR_RESETS_MAX: usize = 256;
/// Bytes of one HTTP/2 stream that wait for its reader at once; with every stream of a connection stalled that is 8 MiB.
pub const HTTP2_STREAM_BUFFER_BYTES: usize = 64 * 1024;
/// Pause between pings on an HTTP/2 connection, so that one whose other end is gone is found while its streams have nothing to say.
pub const HTTP2_PING_EVERY: Duration = Duration::from_secs(20);
/// Time for the answer to a ping: longer than any network that carries a stream needs.
pub const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(20);

// ---- Clients ---------------------------------------------------------------------------

/// Longest time that a client collects edits before it sends them: a scoreboard still follows the hand.
pub const CLIENT_WINDOW_MAX: Duration = Duration::from_secs(1);
/// Bytes that a fresh connection carries in its first round trip (ten segments of TCP); edits beyond them are worth collecting longer.
pub const CLIENT_BURST_BYTES: usize = 14 * 1024;
/// Shortest pause of a client after a failure, and between short polls while something happens.
pub const CLIENT_RETRY_MIN: Duration = Duration::from_millis(250);
/// Longest pause of a client after a failure, unless the server asks for more: a hall must not wait for its screens.
pub const CLIENT_RETRY_MAX: Duration = Duration::from_secs(5);
/// How long short polls stay brisk after something happened: news come in bursts.
pub const CLIENT_STAYS_ACTIVE: Duration = Duration::from_secs(2);
/// Longest pause between short polls of a client for which nothing happens.
pub const CLIENT_IDLE_PAUSE_MAX: Duration = Duration::from_secs(60);
/// A member that has not heard the authority for so long does not speak for it: twice what a quiet one on short polls takes.
pub const CLIENT_CARRIES_FOR: Duration = Duration::from_secs(120);
