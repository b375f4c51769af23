/**
 * Faults of the protocols that tests plant on purpose, to see that the checkers catch them. Never set outside tests.
 * Each is a mistake that a real implementation of such a protocol has made.
 */
export type PlantedBug =
  /** One of the holders of a page's copies is not told of a commit. */
  | 'skip-an-update'
  /** A lock is granted while one that it conflicts with is still held. */
  | 'grant-before-release'
  /** A writer is told that its commit is done before those who hold copies have acknowledged it. */
  | 'acknowledge-before-holders'
  /** A commit is answered when it is received, not when it is durable. */
  | 'acknowledge-before-durable'
  /** A copy is read however old it is. */
  | 'stale-past-bound'
  /** The application's conflict test is not asked: no locks conflict. */
  | 'ignore-conflict'
  /** A site reads a page while what it wrote there is on its way. */
  | 'forget-own-write'
  /** A lock on several pages is granted copies of different moments. */
  | 'mix-moments'
  /** A copy counts as the newest if its version is lower. */
  | 'take-older-bytes'

export const plantedBugs: readonly PlantedBug[] = [
  'skip-an-update',
  'grant-before-release',
  'acknowledge-before-holders',
  'acknowledge-before-durable',
  'stale-past-bound',
  'ignore-conflict',
  'forget-own-write',
  'mix-moments',
  'take-older-bytes',
]
