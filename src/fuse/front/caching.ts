import { openReplyFlags } from '../protocol/flags.js'

const accessModes = 3
const readsOnly = 0
/** O_DIRECT. */
const passesCaches = 0o40000

/**
 * How the kernel is to treat an open file. Who only reads does so from the kernel's cache, which is kept from one program to the next. Who may write passes by it: while the kernel
 * writes to a page of its cache it keeps that locked, and could not be told to forget it. Direct writes of one file need not wait for each other in the kernel. What is mapped is in
 * the cache in any case.
 */
export function openFlagsOf(flags: number, isCaching: boolean): number {
  const isCached = isCaching && (flags & accessModes) === readsOnly && (flags & passesCaches) === 0
  return isCached ? openReplyFlags.keepCache : openReplyFlags.directIo | openReplyFlags.parallelDirectWrites
}
