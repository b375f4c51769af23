/** Members of a group at most, the primary among them. */
export const groupMembersMax = 7

/** Commits of a group that are not over everywhere yet; further ones are refused as `busy`. */
export const groupCommitsOpenMax = 1_024

/**
 * For how long a backup may owe something and give no sign of life before it is removed: this time at least, and twice as long at
 * most, in milliseconds. Nothing is acknowledged meanwhile. Twice this is shorter than the lease of a node.
 */
export const groupSilenceMs = 1_500

/** What each living member waits longer than the one before it in the record, before it tries to take over: milliseconds. */
export const groupTakeoverPauseMs = 1_000

/** A record at the coordinator, encoded. */
export const groupRecordBytesMax = 1_024
