import type { AttributeSettings } from '../../address/attributes.js'
import type { ByteRange } from '../../address/range.js'
import type { Khazana } from '../../client/khazana.js'
import type { Region } from '../../client/region.js'
import { LockContext } from '../../node/replica/lock-context.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { Prng } from '../../stdx/prng.js'

export interface ScratchOptions {
  readonly khazana: Khazana
  readonly random: Prng
  /** Who does it. */
  readonly name: string
  /** Of the region. */
  readonly attributes: AttributeSettings
  readonly complain: (what: string) => void
}

const wait = { timeoutMs: 10_000 }

/**
 * The life of a region that nobody else knows: what was freed is gone, and comes back as zeros, also where that was pending: storage is given
 * again only after it. Rejects with the error that
 * it came upon.
 */
export async function useScratch({
  khazana,
  random,
  name,
  attributes,
  complain,
}: ScratchOptions): Promise<void> {
  const region = await khazana.reserve(3 * 4096, { ...wait, ...attributes })
  if ((await codeOf(region.lock('read', { offset: 0, length: 1 }, wait))) === 'none') {
    complain(`${name} locked what has no storage`)
  }
  await region.allocate({ offset: 4096, length: 8192 }, wait)
  const all = { offset: 4096, length: 8192 }
  const lock = await region.lock('write', all, wait)
  lock.map(4096, 8192).fill(7)
  await lock.unlock()
  const isFreed = (await region.free({ offset: 4096, length: 4096 }, wait)) === 'done'
  if (isFreed && (await codeOf(region.lock('read', all, wait))) === 'none')
    complain(`${name} locked what was freed`)
  await region.allocate({ offset: 4096, length: 4096 }, wait)
  const again = await region.lock('read', all, wait)
  const [freed, kept] = [again.read(4096, 1)[0], again.read(8192, 1)[0]]
  await again.unlock()
  if (freed !== 0 || kept !== 7) complain(`${name} read ${freed} where it freed, ${kept} where it wrote`)
  await region.setAttributes({ labels: { by: name } }, wait)
  if (!random.chance(0.5) || (await region.unreserve(wait)) === 'pending') return
  // A stale descriptor may still be found, but nothing can be done with it; or the address is another region's by now.
  if ((await codeOf(lockAgain(khazana, region, all))) === 'none') {
    complain(`${name} locked what was unreserved`)
  }
}

async function lockAgain(khazana: Khazana, region: Region, range: ByteRange): Promise<LockContext> {
  const found = await khazana.region(region.address, wait)
  if (found.descriptor.generation !== region.descriptor.generation) {
    throw new KhazanaError('no-such-region', 'the address was given to another region')
  }
  return found.lock('read', range, wait)
}

/** The code that the promise is rejected with; `none` where it is not. A lock that was granted is let go. */
async function codeOf(promise: Promise<unknown>): Promise<ErrorCode | 'none'> {
  try {
    const result = await promise
    if (result instanceof LockContext) result.discard()
    return 'none'
  } catch (error) {
    return KhazanaError.from(error).code
  }
}

const floodPages = 64
const floodPageBytes = 64 * 1024
const floodPagesAtOnce = 8

/** Reads so much that other pages have to go from memory. Rejects with the error that it came upon. */
export async function floodMemory(khazana: Khazana): Promise<void> {
  const region = await khazana.reserve(floodPages * floodPageBytes, { ...wait, pageSize: floodPageBytes })
  await region.allocate(undefined, wait)
  const length = floodPagesAtOnce * floodPageBytes
  for (let offset = 0; offset < region.size; offset += length) {
    const lock = await region.lock('read', { offset, length }, wait)
    lock.discard()
  }
  await region.unreserve(wait)
}
