/**
 * The numbers that both sides of the kernel know: `kernel/spans/layout.ts` has them, too, and a test compares them.
 *
 * Offsets of tables are not among them; they are asked of the kernel when it is loaded.
 */

/** Kinds of fields beside those of plan.ts: the name, which is a text; links and the status, which are messages. */
export const FIELD_NAME = 16
export const FIELD_LINK = 17
export const FIELD_STATUS = 18

/** What an event takes along when it moves; a field with a tag of two bytes; one that only the general way reads. */
export const FIELD_TIME = 19
export const FIELD_TRACE_ID = 20
export const FIELD_SPAN_ID = 21
export const FIELD_FAR = 22
export const FIELD_ODD = 23

/** What is read of an attribute, beside the number of a path; or that it leaves as it came, whatever item it is of. */
export const ROLE_EVENT_NAME = 16
export const ROLE_LEVEL = 32
export const ROLE_MESSAGE = 64
export const ROLE_INERT = 128

/** Kinds of paths to a target. */
export const PATH_ATTRIBUTE = 1
export const PATH_SCOPE_NAME = 2

/** What becomes of a field. From ACTION_SHORT on: it leaves if it is a string of at most so many bytes more. */
export const ACTION_LEAVE = 1
export const ACTION_REMOVE = 2
export const ACTION_ODD = 3
export const ACTION_HASH = 4
export const ACTION_NOTE = 5
export const ACTION_NOTE_REMOVE = 6
export const ACTION_SHORT = 8

/** Judgments: a verdict from bit 8 on, a context below, and flags above. */
export const JUDGED_NATIVE: number = 1 << 20
export const JUDGED_DROPPED: number = 1 << 21
export const JUDGED_MOVED: number = 1 << 22
export const JUDGED_ODD: number = 1 << 23
export const JUDGED: number = 1 << 24

/** What the kernel asks; all else is about an event. */
export const ASK_SPAN = 0
export const ASK_ACTION = 2

/** Limits. What is beyond them goes the general way. */
export const WORD_BYTES_MAX = 127
export const PATHS_MAX = 8
export const CONTEXTS_MAX = 128
export const VERDICTS_MAX = 4096

/** Why a run came back, beside that it was done: the span it stopped at is odd, something is to be told first, there is no room for another word. */
export const ODD = 1
export const ASKS = 2
export const FULL = 3
