import type { Khazana } from '../../client/khazana.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { FsEnvironment } from '../environment.js'
import type { Batch } from './batch.js'
import type { HeldPages } from './fs-region.js'
import type { Lock } from './lock.js'
import { inOrder } from './page-order.js'

/** What a lost home, or a lost way there, makes of a release: nothing of it happened, or nobody knows. */
const mayBeRedone: ReadonlySet<ErrorCode> = new Set([
  'context-broken',
  'outcome-unknown',
  'unreachable',
  'timeout',
  'busy',
])
/** Between two attempts. Milliseconds. */
const pauseMs = 100

export interface RedoOptions {
  readonly khazana: Khazana
  readonly environment: FsEnvironment
  /** For how long it is tried. Milliseconds. */
  readonly timeoutMs: number
}

/**
 * What a batch has changed has been seen by programs here, and its release has failed with the home of one of its regions. All its pages are locked again, wherever they are homed by
 * now. If they are as they were before the batch, it did not happen, and nobody has changed them since: it is released again. If they are as it left them, it happened. Else others have been
 * faster, and it is lost. Answers why, then; undefined where it is durable. Never rejects.
 */
export async function redo(
  batch: Batch,
  failure: KhazanaError,
  { khazana, environment, timeoutMs }: RedoOptions,
): Promise<KhazanaError | undefined> {
  const held = batch.held.toSorted(inOrder)
  const time = { isOver: false }
  const cancel = environment.after(timeoutMs, () => {
    time.isOver = true
  })
  try {
    for (let reason = failure; ;) {
      if (!mayBeRedone.has(reason.code) || time.isOver) return reason
      try {
        return await redoOnce(held, failure, { khazana, timeoutMs })
      } catch (again) {
        reason = KhazanaError.from(again)
      }
      await new Promise<void>((resolve) => {
        environment.after(pauseMs, resolve)
      })
    }
  } finally {
    cancel()
  }
}

/** Throws where it may go better the next time. */
async function redoOnce(
  held: readonly HeldPages[],
  failure: KhazanaError,
  { khazana, timeoutMs }: Pick<RedoOptions, 'khazana' | 'timeoutMs'>,
): Promise<KhazanaError | undefined> {
  const locks: Lock[] = []
  try {
    for (const each of held) locks.push(await lockAgain(each, timeoutMs))
    const found = held.map((each, index) => contentOf(each, locks[index]))
    if (found.every((content) => content === 'after' || content === 'both')) return undefined
    if (found.some((content) => content === 'after' || content === 'other')) return changedByOthers(failure)
    held.forEach(({ bytes }, index) => {
      const lock = locks[index]
      lock?.map(lock.offset, lock.length).set(bytes)
    })
    await khazana.unlockAll(locks)
    return undefined
  } finally {
    for (const lock of locks) lock.discard()
  }
}

type Content = 'before' | 'after' | 'both' | 'other'

function contentOf({ before, bytes }: HeldPages, lock: Lock | undefined): Content {
  if (lock === undefined) return 'other'
  const now = lock.read(lock.offset, lock.length)
  const [isBefore, isAfter] = [isSame(now, before), isSame(now, bytes)]
  if (isBefore && isAfter) return 'both'
  return isBefore ? 'before' : isAfter ? 'after' : 'other'
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

async function lockAgain({ region, first, count }: HeldPages, timeoutMs: number): Promise<Lock> {
  const { handle, pageSize } = region
  if (handle === undefined) throw new KhazanaError('unreachable', 'the region is not known any more')
  return handle.lock('write', { offset: first * pageSize, length: count * pageSize }, { timeoutMs })
}

function changedByOthers(cause: KhazanaError): KhazanaError {
  return new KhazanaError('context-broken', 'others have changed the same files since their home was lost', {
    cause,
  })
}
