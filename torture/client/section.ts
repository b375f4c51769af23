import type { Khazana, LockContext, LockMode, Region } from '../../src/index.js'
import { KhazanaError, parseAddress } from '../../src/index.js'
import { numberIn, pageOf, textIn } from '../cell.js'
import { pause } from '../clock.js'
import { keyOf, pageBytes } from '../layout.js'
import type { TimedOperation } from '../record.js'
import type { PlacedRegion } from './messages.js'
import type { Notebook } from './notebook.js'

/** How long a lock, or finding its region, is waited for. */
const lockMsMax = 3000
/** How long `unlock` is waited for; after that nobody knows what has come of it. */
const unlockMsMax = 15_000

/** Of a failed `unlock`: nothing was kept. After any other error that may be so or not. */
const notKept: readonly string[] = ['context-broken', 'no-space']

export interface Pages {
  readonly first: number
  readonly count: number
}

/** What can be done under the lock. Pages are counted from the start of the region. */
export interface Cells {
  /** The number on the page: 0 where nothing was written yet. */
  number(page: number): number
  /** Replaces what is on a page that was read. */
  write(page: number, text: string): void
}

export interface SectionRequest {
  /** Who asks; it does one section at a time. */
  readonly process: string
  /** Unique in the run. */
  readonly mark: string
  readonly region: PlacedRegion
  readonly mode: LockMode
  readonly pages: Pages
  /** Done under the lock, at once. */
  readonly body: (cells: Cells) => void
  /** Milliseconds of the run's clock. */
  readonly now: () => number
  readonly notebook: Notebook
}

/** A value that no client writes; what was seen is in the history for the checks to find. */
class StrangeValue extends Error {}

/**
 * Locks, does something, unlocks, and notes all of it: what was read counts as read when `unlock` of the lock has confirmed it. Resolves
 * with whether that went well. Never rejects for what global memory does.
 */
export async function doSection(khazana: Khazana, request: SectionRequest): Promise<boolean> {
  const { process, mark, mode, region, pages, now, notebook } = request
  const invoke = now()
  const section = pages.count > 1 ? { section: mark } : {}
  const common = { process, invoke, ...section }
  let lock: LockContext
  try {
    lock = await lockOf(khazana, request)
  } catch (reason) {
    notebook.error(reason)
    const op = mode === 'read' ? 'read' : 'write'
    const nothing = {
      op,
      key: keyOf(region.name, pages.first),
      value: mode === 'read' ? null : `?#${mark}`,
    } as const
    notebook.operation({ ...common, ...nothing, complete: now(), ok: false })
    return false
  }
  const effects = new Effects(region.name, lock)
  try {
    request.body(effects)
  } catch (reason) {
    lock.discard()
    if (!(reason instanceof StrangeValue)) notebook.error(reason)
    const complete = now()
    const isStrange = reason instanceof StrangeValue
    for (const read of effects.reads()) notebook.operation({ ...common, ...read, complete, ok: isStrange })
    return false
  }
  const end = await ending(lock)
  const complete = now()
  if (end.kind !== 'well') notebook.error(end.reason)
  for (const effect of effects.all()) {
    const isKnown = end.kind !== 'unknown' || effect.op === 'read'
    const ok = end.kind === 'well' || (end.kind === 'unknown' && effect.op === 'write')
    notebook.operation({ ...common, ...effect, complete: isKnown ? complete : null, ok })
  }
  return end.kind === 'well'
}

const regionsOf = new WeakMap<Khazana, Map<string, Region>>()

async function lockOf(khazana: Khazana, { region, mode, pages }: SectionRequest): Promise<LockContext> {
  const known = regionsOf.get(khazana) ?? new Map<string, Region>()
  regionsOf.set(khazana, known)
  let handle = known.get(region.address)
  if (handle === undefined) {
    handle = await khazana.region(parseAddress(region.address), { timeoutMs: lockMsMax })
    known.set(region.address, handle)
  }
  const range = { offset: pages.first * pageBytes, length: pages.count * pageBytes }
  return handle.tryLock(mode, range) ?? (await handle.lock(mode, range, { timeoutMs: lockMsMax }))
}

type Ending =
  | { readonly kind: 'well' }
  /** Nothing was kept. */
  | { readonly kind: 'failed'; readonly reason: unknown }
  | { readonly kind: 'unknown'; readonly reason: unknown }

async function ending(lock: LockContext): Promise<Ending> {
  const over = new AbortController()
  const unlocked = lock.unlock().then(
    (): Ending => ({ kind: 'well' }),
    (reason: unknown): Ending => {
      const isLost = notKept.includes(KhazanaError.from(reason).code)
      return { kind: isLost ? 'failed' : 'unknown', reason }
    },
  )
  const late = pause(unlockMsMax, over.signal).then((): Ending => {
    const message = `unlock has not come to an end within ${unlockMsMax} ms`
    return { kind: 'unknown', reason: new KhazanaError('timeout', message) }
  })
  const end = await Promise.race([unlocked, late])
  over.abort()
  return end
}

type Effect = Pick<TimedOperation, 'op' | 'key' | 'value' | 'old'>

/** What a section has read and written so far. */
class Effects implements Cells {
  readonly #region: string
  readonly #lock: LockContext
  readonly #seen = new Map<number, string | null>()
  readonly #written = new Map<number, string>()

  constructor(region: string, lock: LockContext) {
    this.#region = region
    this.#lock = lock
  }

  number(page: number): number {
    const text = textIn(this.#lock.read(page * pageBytes, pageBytes))
    this.#seen.set(page, text)
    const number = numberIn(text)
    if (number === undefined) throw new StrangeValue()
    return number
  }

  write(page: number, text: string): void {
    this.#lock.write(page * pageBytes, pageOf(text))
    this.#written.set(page, text)
  }

  reads(): readonly Effect[] {
    return [...this.#seen].map(([page, value]) => ({ op: 'read', key: keyOf(this.#region, page), value }))
  }

  /** A page that was written is one operation, which read first. */
  all(): readonly Effect[] {
    return [...this.#seen].map(([page, seen]) => {
      const value = this.#written.get(page)
      const key = keyOf(this.#region, page)
      return value === undefined ? { op: 'read', key, value: seen } : { op: 'write', key, value, old: seen }
    })
  }
}
