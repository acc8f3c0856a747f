/**
 * Where things are in the kernel's memory: one fixed map, nothing allocated. Offsets and sizes in bytes.
 *
 * The sidecar fills the tables of the policy and the window with spans; the kernel fills the rest. It never follows an
 * offset of a request that it has not checked against the end of the message around it; what it reads or copies beyond,
 * several bytes at a time, is masked or written over.
 */

/** Kinds of messages: a span, its events, its links, its status. Each has a plan of 256 bytes: the kind of field by tag. */
export const PLAN_COUNT: i32 = 4
export const SPAN: i32 = 0
export const EVENT: i32 = 1
export const LINK: i32 = 2
export const STATUS: i32 = 3

/** Words: texts that were met, keys of attributes, targets, names of events. Word 0 is the empty text. */
export const WORDS_MAX: i32 = 2048
export const WORD_BITS: i32 = 11
/** Longer texts are no words: whoever has one goes the general way. */
export const WORD_BYTES_MAX: i32 = 127
/** Sets of field rules that apply to an item in a place. */
export const CONTEXTS_MAX: i32 = 128
/** Paths that a target can be read from. */
export const PATHS_MAX: i32 = 8
/** Verdicts that are counted. */
export const VERDICTS_MAX: i32 = 4096

export const PLANS: i32 = 1024
/** By plan and word, a byte: what is read of the attribute. */
export const ROLES: i32 = PLANS + PLAN_COUNT * 256
/** By plan and length, a byte: whether a key of the length has a role. */
export const ROLE_LENGTHS: i32 = ROLES + PLAN_COUNT * WORDS_MAX
/** By plan and path, a byte: which kind of path it is. */
export const PATHS: i32 = ROLE_LENGTHS + PLAN_COUNT * 128
/** By context and word, a byte: what becomes of the attribute. */
export const ACTIONS: i32 = PATHS + PLAN_COUNT * PATHS_MAX
/** By context and number of field, a byte: what becomes of the text. */
export const TEXTS: i32 = ACTIONS + CONTEXTS_MAX * WORDS_MAX
/** By verdict, four bytes: how many items were given it. */
export const COUNTS: i32 = TEXTS + CONTEXTS_MAX * 16

/** Words: their bytes in steps of 128, their lengths, and, four bytes each, which word came behind which, by plan. */
export const WORD_BYTES: i32 = COUNTS + VERDICTS_MAX * 4
export const WORD_LENGTHS: i32 = WORD_BYTES + WORDS_MAX * 128
export const FOLLOWERS: i32 = WORD_LENGTHS + WORDS_MAX
/** By plan and path, four bytes each: the target that was met last. */
export const LAST_TARGETS: i32 = FOLLOWERS + PLAN_COUNT * WORDS_MAX * 4
/** By length, below sixteen: a mask of so many bytes. */
export const LOW_BYTES: i32 = LAST_TARGETS + PLAN_COUNT * PATHS_MAX * 4
/** Two bytes each: words by their hash. */
export const HASH_SLOTS: i32 = 4096
export const HASHES: i32 = LOW_BYTES + 256
/** Eight bytes each: judgments by what they are about. */
export const JUDGMENT_SLOTS: i32 = 1024
export const JUDGMENT_WAYS: i32 = 4
export const JUDGMENTS: i32 = HASHES + HASH_SLOTS * 2
/** Where the tables end that `forget` clears. */
export const TABLES_END: i32 = JUDGMENTS + (JUDGMENT_SLOTS + JUDGMENT_WAYS) * 8

/** The attribute that says how an item came, as KeyValue bytes, with their number in front. */
export const MARKER: i32 = TABLES_END
/** Rows of the span in hand. */
export const ROWS_MAX: i32 = 4096
export const ROW_BYTES: i32 = 84
export const ROWS: i32 = MARKER + 128
/** By plan and path: start and end of the target that the path gives in the item in hand. */
export const SLOTS: i32 = ROWS + ROWS_MAX * ROW_BYTES
/** Frames that are open while a span is written: the span, and a message in it. */
export const FRAME_BYTES: i32 = 24
export const FRAMES: i32 = SLOTS + PLAN_COUNT * PATHS_MAX * 8
/** Events that move, and some that stay: eight numbers each. */
export const NOTES_MAX: i32 = 2048
export const NOTE_BYTES: i32 = 32
export const NOTES: i32 = FRAMES + FRAME_BYTES * 4

/** Hashes that are to be filled in: where in OUT, and of which range of the window. */
export const HASHED_MAX: i32 = 2048
export const HASHED_BYTES: i32 = 12
export const HASHED: i32 = NOTES + NOTES_MAX * NOTE_BYTES

/** Attributes that no rule decided: the context, the word of the key, and the range of the event's name. */
export const UNDECIDED_MAX: i32 = 4096
export const UNDECIDED_BYTES: i32 = 16
export const UNDECIDED: i32 = HASHED + HASHED_MAX * HASHED_BYTES

/** What was read or is written beyond an end. */
const SLACK: i32 = 64
/** The window on the request, what becomes of it, and the log records of events that move. */
export const WINDOW_BYTES: i32 = 1 << 17
export const WINDOW: i32 = (UNDECIDED + UNDECIDED_MAX * UNDECIDED_BYTES + 63) & ~63
export const OUT: i32 = WINDOW + WINDOW_BYTES + SLACK
export const OUT_END: i32 = OUT + WINDOW_BYTES * 2
export const RECORDS: i32 = OUT_END + SLACK
export const RECORDS_END: i32 = RECORDS + WINDOW_BYTES * 2
export const MEMORY_END: i32 = RECORDS_END + SLACK

/** Kinds of fields, as `plan.ts` of the policy numbers them. */
export const FIELD_ATTRIBUTE: i32 = 1
export const FIELD_TEXT: i32 = 3
export const FIELD_COUNT: i32 = 4
export const FIELD_EVENT: i32 = 7
export const FIELD_EVENT_COUNT: i32 = 8
/** Beside them: the name, which is a text; links and the status, which are messages. */
export const FIELD_NAME: i32 = 16
export const FIELD_LINK: i32 = 17
export const FIELD_STATUS: i32 = 18
/** What an event takes along when it moves. */
export const FIELD_TIME: i32 = 19
export const FIELD_TRACE_ID: i32 = 20
export const FIELD_SPAN_ID: i32 = 21
/** A field with a tag of two bytes: the flags of a span, or one that nobody asks for. */
export const FIELD_FAR: i32 = 22
/** A field that only the general way reads. */
export const FIELD_ODD: i32 = 23

/** In ROLES: a path's number and one, and whether the attribute is `event.name`, `level`, `message`. */
export const ROLE_PATH: i32 = 15
export const ROLE_EVENT_NAME: i32 = 16
export const ROLE_LEVEL: i32 = 32
export const ROLE_MESSAGE: i32 = 64
/** And nothing beside: the attribute leaves as it came, whatever item it is of. */
export const ROLE_INERT: i32 = 128

/** In PATHS; 0 behind the last. */
export const PATH_ATTRIBUTE: i32 = 1
export const PATH_SCOPE_NAME: i32 = 2

/**
 * In ACTIONS and TEXTS. ACTION_HASH: a string is hashed. ACTION_NOTE, ACTION_NOTE_REMOVE: no rule decided, which is noted;
 * it leaves, or goes. From ACTION_SHORT on: it leaves if it is a string of at most so many bytes.
 */
export const ACTION_UNKNOWN: i32 = 0
export const ACTION_LEAVE: i32 = 1
export const ACTION_REMOVE: i32 = 2
export const ACTION_ODD: i32 = 3
export const ACTION_HASH: i32 = 4
export const ACTION_NOTE: i32 = 5
export const ACTION_NOTE_REMOVE: i32 = 6
export const ACTION_SHORT: i32 = 8

/** Judgments: flags, then 12 bits of a verdict, then 8 of a context. */
export const JUDGED_NATIVE: i32 = 1 << 20
/** Dropped: it counts in `dropped_events_count`. */
export const JUDGED_DROPPED: i32 = 1 << 21
/** It leaves elsewhere too, or instead: the sidecar moves it. */
export const JUDGED_MOVED: i32 = 1 << 22
/** Only the general way can do what it asks for. */
export const JUDGED_ODD: i32 = 1 << 23
export const JUDGED: i32 = 1 << 24

/** Why `run` came back. */
export const DONE: i32 = 0
/** The span behind those that it went through goes the general way. */
export const ODD: i32 = 1
/** Something about that span must be told first: see `asked`. */
export const ASKS: i32 = 2
/** No room for another word. */
export const FULL: i32 = 3

/** What `asked` is about. */
export const ASK_SPAN: i32 = 0
export const ASK_EVENT: i32 = 1
export const ASK_ACTION: i32 = 2
