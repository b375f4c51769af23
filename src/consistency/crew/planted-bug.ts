/**
 * Faults of the protocol that tests plant on purpose, to see that the checkers catch them. Never set outside tests.
 * Each is a mistake that a real implementation of such a protocol has made.
 */
export type PlantedBug =
  /** A recall is answered while a local lock still reads the page. */
  | 'yield-while-locked'
  /** A token goes to the next holder while the bytes are not durable. */
  | 'grant-before-durable'
  /** An exclusive token is given while another child still holds a shared one. */
  | 'forget-a-sharer'
  /** A commit is answered when it is received, not when it is durable. */
  | 'acknowledge-before-durable'
  /** A child is granted a token while its answer to a recall is on its way. */
  | 'grant-while-recalled'
  /** Bytes of a commit that failed are kept, and count as the version that they would have had. */
  | 'keep-failed-bytes'
  /** A child keeps the bytes that it has where their version is lower than the newest. */
  | 'take-older-bytes'
  /** A token that goes straight to a sibling does not take along how far fences are counted. */
  | 'hand-over-without-fences'
  /** A child is lost, and the counting of fences goes on below what it may have given. */
  | 'no-fence-beyond-the-lost'
  /** A child is lost, and its pages get the numbers again that it may have given. */
  | 'numbers-given-again'
  /** A commit in doubt is done again without a look at what is stored. */
  | 'resend-without-comparing'

export const plantedBugs: readonly PlantedBug[] = [
  'yield-while-locked',
  'grant-before-durable',
  'forget-a-sharer',
  'acknowledge-before-durable',
  'grant-while-recalled',
  'keep-failed-bytes',
  'take-older-bytes',
  'hand-over-without-fences',
  'no-fence-beyond-the-lost',
  'numbers-given-again',
  'resend-without-comparing',
]
