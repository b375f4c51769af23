/** What simulated code must never hold, by the names that Node.js gives its resources. */
const watched: ReadonlySet<string> = new Set([
  'Timeout',
  'TCPSocketWrap',
  'TCPServerWrap',
  'TCPConnectWrap',
  'PipeServerWrap',
  'PipeConnectWrap',
  'UDPWrap',
  'TLSWrap',
  'GetAddrInfoReqWrap',
  'FSReqCallback',
  'FSReqPromise',
  'FSEventWrap',
  'StatWatcher',
  'ProcessWrap',
  'Worker',
  'MessagePort',
  'Zlib',
  'RandomBytesRequest',
  'PBKDF2Job',
  'ScryptJob',
])

/**
 * The real timers, sockets, files and threads that keep the process busy, as a difference to those there were before.
 * Best effort: a file operation may be over before anybody looks.
 */
export class RealResources {
  readonly #before: ReadonlyMap<string, number>

  private constructor(before: ReadonlyMap<string, number>) {
    this.#before = before
  }

  static now(): RealResources {
    return new RealResources(counts())
  }

  /** The kind of one that was not there before, or undefined. */
  leaked(): string | undefined {
    for (const [kind, count] of counts()) {
      if (count > (this.#before.get(kind) ?? 0)) return kind
    }
    return undefined
  }
}

function counts(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) {
    if (watched.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return counts
}
