import { openReplyFlags } from '../protocol/flags.js'

/**
 * What the kernel may believe, and for how long: nothing at all. Every read, every write and every look-up of a name comes here, as another mount may have changed
 * it. Mappings are kept in the kernel's pages all the same, for as long as they are in use.
 */
export const uncached = {
  /** Of an open file. Direct writes of one file need not wait for each other in the kernel. */
  openFlags: openReplyFlags.directIo | openReplyFlags.parallelDirectWrites,
  /** Of what a name means. */
  entryValidMs: 0,
  attributesValidMs: 0,
} as const
