/** Every bound of the system, with its unit and its reason. Sizes are bytes of UTF-8 unless said otherwise. */

export const MOST_SHARDS = 16_384; // the slots of a Redis Cluster: more shards than slots would share them anyway

export const NAME_LENGTH = 100; // characters; names of systems, actor types and messages stand in Redis keys
export const KEY_BYTES = 512; // an actor's key stands in Redis keys and in every envelope
export const ID_BYTES = 200; // foreign message and correlation ids are taken as they are, up to this

export const PAYLOAD_BYTES = 1_048_576;
export const EFFECTS_PER_MESSAGE = 1_000;
/** Data of all the messages that one handler stages. They go to Redis in one commit, and Redis serves nobody else while it writes them. */
export const EFFECTS_BYTES = 32 * 1_048_576;
/** Levels of objects and arrays in one value; JSON.stringify itself ends at some thousands, with a full stack. */
export const JSON_DEPTH = 500;

/** A batch is appended or committed in one script; Redis serves nobody else meanwhile. */
export const BATCH_MESSAGES = 500;
export const BATCH_BYTES = 4 * 1_048_576;

/** What may wait inside one producer while Redis is slow or away. */
export const PRODUCER_QUEUE_MESSAGES = 200_000;
export const PRODUCER_QUEUE_BYTES = 256 * 1_048_576;

/** Commands from outside are refused (`INBOX_FULL`) above this backlog of one partition; actors' own sends never are. */
export const INBOX_MESSAGES = 1_000_000;

/**
 * Names and values of one entry of a stream. Errand's own have a payload and some KiB beside it; what others write may be of any size, up to
 * a GiB, and beyond this it is a dead letter of which only the beginning is read.
 */
export const ENTRY_BYTES = PAYLOAD_BYTES + 65_536;
/** Of an entry beyond ENTRY_BYTES or ENTRY_VALUES so many names and values are kept, and so much of each. */
export const CUT_VALUES = 100;
export const CUT_VALUE_BYTES = 4_000;
/** Of each of those, characters that a dead letter shows: at most four bytes each, so that none of them is cut in two. */
export const CUT_CHARACTERS = 1_000;

/** One reply of the reader is kept near this, by asking for fewer entries when entries are large. */
export const READ_BYTES = 8 * 1_048_576;
/** It is kept below this however large entries suddenly are: a stream that may hold many of them is asked for few. */
export const READ_BYTES_MOST = 256 * 1_048_576;
export const READ_ENTRIES = 500; // per stream and read
/** A blocked read returns at least this often, so that a connection that died silently is noticed. */
export const READ_BLOCK_MS = 1_000;
/** The same in process, where no connection dies silently: under virtual time each return costs something. */
export const READ_BLOCK_IN_PROCESS_MS = 60_000;
/** A connection on which nothing arrives for this long although something was asked is given up. Longer than READ_BLOCK_MS. */
export const SOCKET_TIMEOUT_MS = 5_000;

export const RESULTS_PER_PARTITION = 100_000; // entries, roughly (MAXLEN ~); older results go first
export const DEAD_LETTERS_PER_PARTITION = 100_000; // entries, roughly
export const OUTCOME_KEPT_MS = 86_400_000; // from the terminal outcome on: dedupe and `attach` work for a day
export const PRODUCER_KEPT_MS = 86_400_000;
export const RESULTS_KEPT_MS = 7 * 86_400_000; // or until there are too many, whichever comes first
export const LETTERS_KEPT_MS = 90 * 86_400_000; // likewise
export const EVENTS_KEPT_MS = 7 * 86_400_000; // and at least until every subscriber has taken them in

/** Activations of one actor type that may stay in memory on one node; above it the longest idle ones leave early. */
export const ACTIVATIONS_IN_MEMORY = 5_000;

/** Unclean take-overs after which the first message of a key runs alone, and kills while it runs alone after which it is a dead letter. */
export const SUSPICIONS_TO_RUN_ALONE = 3;
export const KILLS_TO_CONDEMN = 3;

/** Keys that may go on are many after an outage; so many of one partition at a time are loaded into memory. */
export const WAITING_KEYS_AT_ONCE = 64;
/** A partition stays with the nodes that can handle what waited there for so long after the last such message; as long as a deploy may take. */
export const WANT_KEPT_MS = 600_000;
/** Needs of one partition's messages that other nodes are told of. */
export const WANTS_PER_PARTITION = 32;
/** Builds whose record is kept when no node of the last day is of them: more than the nodes of a deploy are of. */
export const BUILDS_KEPT = 32;
/** Types of message that a node cannot handle and says so of, once each; the types of messages are anybody's words. */
export const UNHANDLED_TOLD = 1_000;
/** Messages of one waiting key that are loaded at a time once it may go on. */
export const ASIDE_WINDOW = 100;
/** Redis' `unpack` ends at 7,999 values; longer lists are written in pieces. */
export const SCRIPT_PIECE = 1_000;
/** Names and values of one entry, which a script passes on as a whole; errand's own have some thirty. */
export const ENTRY_VALUES = 1_000;

export const STACK_CHARACTERS = 4_000; // of an error's stack kept in a dead letter
/** Of one message's failed attempts the latest are told in its dead letter. */
export const ATTEMPTS_TOLD = 20;
export const ATTEMPT_CHARACTERS = 200; // of an attempt's error message
/** Of the errors beneath one (`cause`, `errors`), so many are told in its dead letter. */
export const CAUSES_TOLD = 8;
export const CAUSE_CHARACTERS = 200; // of each one's message
export const ERROR_CHARACTERS = 1_000; // of an error's message kept in a result or dead letter

/** Calls of `cancel` that stand behind one mark, in characters: some hundred at a time. */
export const WISHES_CHARACTERS = 4_096;
/** Whoever cancels looks for the message for seconds: a mark that is older, where no message stands, has nobody to take it away. */
export const MARK_STALE_MS = 3_600_000;
/** Old marks that are looked into at a time: each may cost a look at everything that is unsettled. */
export const MARKS_SWEPT = 10;

/** How often what has become too old is looked for; the times kept are days. */
export const RETENTION_SWEEP_MS = 600_000;
