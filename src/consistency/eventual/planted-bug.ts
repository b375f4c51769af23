/**
 * Faults of the protocol that tests plant on purpose, to see that the checkers catch them. Never set outside tests.
 */
export type EventualBug =
  /** A copy with a write of its own takes what is older from the home, and keeps what is newer out. */
  | 'lower-stamp-wins'
  /** The home tells all holders of a change but one. */
  | 'forget-a-holder'
  /** A page that was written here, and has not come to the home, may go from memory. */
  | 'drop-a-dirty-page'
  /** Copies from before a loss are taken for new when the home is back. */
  | 'no-sync-after-loss'

export const eventualBugs: readonly EventualBug[] = [
  'lower-stamp-wins',
  'forget-a-holder',
  'drop-a-dirty-page',
  'no-sync-after-loss',
]
