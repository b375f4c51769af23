/** How long the parts of a transaction may take to come together at one home, and all homes to be ready. Milliseconds. */
export const gatheringMs = 5000
/** After which a home that is ready asks again what has been decided. */
export const askAgainMs = 1000
/** How long one question, or one word, to another home may take. */
export const callMs = 5000
/**
 * For how long it is remembered that a transaction came to nothing: longer than anything that was said for it can be on its way. Who asks later is told the
 * same, as nothing is known.
 */
export const refusalMs = 600_000
/** Transactions that one home has open, or remembers, of each kind. */
export const transactionsMax = 4096
/**
 * For how long a page of a note that is damaged at all who can be reached is looked for, before what was decided is done without it. Until then it is the region's
 * other pages that wait, which are sound: longer than it takes a node to come back from a restart. Milliseconds.
 */
export const lostAfterMs = 30_000
