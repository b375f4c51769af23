/**
 * Faults that can be planted in the machines of a home group, to see that the model checker finds them. Never set outside
 * tests. Each is a mistake that is easily made with such a protocol.
 */
export const groupBugs = Object.freeze([
  /** A primary goes on when its lease has lapsed. */
  'skip-the-lease',
  /** A primary whose lease has lapsed and is held again does not look who is the primary now. */
  'trust-the-old-record',
  /** A commit is acknowledged as soon as it is durable at the primary. */
  'acknowledge-before-backups',
  /** A backup acknowledges what it has not made durable. */
  'acknowledge-before-durable',
  /** A backup takes what a primary of an earlier reign sends. */
  'ignore-the-reign',
  /** A new member counts only once its addition is known to be applied. */
  'count-additions-late',
  /** A new member is added though it has not stored all that was acknowledged meanwhile. */
  'add-those-behind',
  /** A silent backup counts no more while its removal is being asked for. */
  'count-removals-early',
  /** A change whose outcome is unknown is taken for one that has not happened. */
  'forget-doubt',
  /** Comparing pages overwrites those that came by a commit since. */
  'overwrite-touched',
  /** A member takes the pages that differ one by one. */
  'tear-synchronisation',
  /** The versions of a new reign go on where those of the earlier one ended, as far as is known here. */
  'no-new-era',
  /** The version of a commit that the disk refused, or of a page that was taken away, is used again. */
  'reuse-versions',
  /** A primary that was started again goes on in the reign of before. */
  'resume-the-reign',
  /** A new primary serves before its backups have what it has. */
  'serve-at-once',
] as const)

export type GroupBug = (typeof groupBugs)[number]
