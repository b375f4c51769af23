/**
 * Every error that a caller may see is a `KhazanaError` with one of these codes. The set is closed: programs switch
 * on it, and it crosses the wire by name.
 */
export const errorCodes = [
  // The caller's doing.
  'invalid-argument', // an argument of the wrong form, or outside its stated range
  'no-such-region', // nobody reserved the address, or it was unreserved
  'out-of-range', // an offset or length that leaves the region, or the lock context
  'not-allocated', // the range has no storage: allocate it first
  'wrong-mode', // a write under a read lock
  'context-closed', // a lock context used after unlock or discard
  'closed', // the node or client was closed
  'aborted', // the caller's AbortSignal fired
  'unsupported', // a setting that this version cannot honour
  // What the world did.
  'timeout', // not possible within the caller's time
  'context-broken', // the right behind a lock context was lost; what was written under it is discarded
  'outcome-unknown', // the connection was lost before an answer: it may or may not have happened
  'unreachable', // the node that is needed cannot be reached
  'no-space', // the node's disk limit, or the disk itself, has no room
  'no-memory', // the lock needs more RAM than the node may use
  'busy', // a bounded queue is full: try again later
  // The set-up.
  'directory-in-use', // another process serves the directory
  'address-in-use', // the port or socket is taken
  'bad-format', // a file of a newer or unknown format
  'wrong-cluster', // the directory or peer belongs to another cluster
  'wrong-version', // the peer speaks another protocol version
  'insecure', // refused to listen in the open without TLS
  // Faults.
  'protocol-error', // bytes from the network that are no message
  'damaged', // a stored record fails its checksum, or its bytes are lost
  'storage-failed', // the disk failed a write or a flush: the node stops
  'internal', // a bug
] as const

export type ErrorCode = (typeof errorCodes)[number]

const known: ReadonlySet<string> = new Set(errorCodes)

export class KhazanaError extends Error {
  override readonly name = 'KhazanaError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }

  /** Any thrown thing as a `KhazanaError`; what is one already is returned as it is. */
  static from(reason: unknown, code: ErrorCode = 'internal'): KhazanaError {
    if (reason instanceof KhazanaError) return reason
    const message = reason instanceof Error ? reason.message : String(reason)
    return new KhazanaError(code, message, { cause: reason })
  }
}

export function isErrorCode(text: string): text is ErrorCode {
  return known.has(text)
}
