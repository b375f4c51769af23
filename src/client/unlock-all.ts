import { addressFromParts } from '../address/address.js'
import type { Address } from '../address/address.js'
import { withResolvers } from '../io/deadline.js'
import { KhazanaError } from '../stdx/errors.js'
import { shown } from '../stdx/shown.js'
import { LockContext } from '../node/replica/lock-context.js'
import type { SiteAccess } from '../node/site-access.js'
import { transactionPartsMax, transactionRegionsMax } from '../wire/limits.js'
import type { TransactionRegion, TransactionTag } from '../wire/transaction-message.js'

/** For how long others are waited for once the home of one of the regions has been lost. Milliseconds. */
const unknownMs = 10_000

/** See `Khazana.unlockAll`. */
export async function unlockAll(access: SiteAccess, contexts: readonly LockContext[]): Promise<void> {
  check(access, contexts)
  const written = contexts.filter(({ hasWritten }) => hasWritten)
  const others = contexts.filter(({ hasWritten }) => !hasWritten)
  checkSupported(written)
  const isSeen = await isAllSeenDurable(others)
  if (!isSeen || !contexts.every(isUsable)) throw discarded(contexts)
  try {
    if (written.length > 1) await releaseTogether(access, written)
    else await written[0]?.unlock()
  } finally {
    // What they saw is durable; that a right was lost since changes nothing of that.
    await Promise.allSettled(others.map((context) => context.unlock()))
  }
}

/** Whether what rests on the locks that wrote nothing can be built on. At once where nobody has written here just before. */
async function isAllSeenDurable(others: readonly LockContext[]): Promise<boolean> {
  const seen = await Promise.allSettled(others.map((context) => context.owner.whenSeenDurable(context)))
  return seen.every(({ status }) => status === 'fulfilled')
}

/**
 * The first that knows what became of it says so for all. The others may wait for it still, as the pages do that they wrote; where none of
 * those that can be reached comes to know, that is said after a while.
 */
async function releaseTogether(access: SiteAccess, written: readonly LockContext[]): Promise<void> {
  const tag = tagOf(access, written)
  const { promise, resolve, reject } = withResolvers<void>()
  let left = written.length
  const onFailure = (context: LockContext, error: KhazanaError): void => {
    left -= 1
    if (error.code !== 'outcome-unknown') {
      giveUp(access, tag, context)
      reject(error)
    } else if (left === 0) reject(error)
    else {
      void access.pause(unknownMs).then(() => {
        reject(error)
      })
    }
  }
  for (const context of written) {
    context.unlockTogether(tag).then(resolve, (reason: unknown) => {
      onFailure(context, KhazanaError.from(reason))
    })
  }
  await promise
}

/** One of them will never be part of it: whoever decides need not wait until the time is over. */
function giveUp(access: SiteAccess, { id, regions }: TransactionTag, { owner }: LockContext): void {
  const [first] = regions
  if (first === undefined || regions.length === 1) return
  const { address, generation } = first
  const by = owner.descriptor.address
  access.call({ op: 'vote', address, generation, id, by, vote: 'not' }, {}).catch(() => undefined)
}

function tagOf({ random }: SiteAccess, written: readonly LockContext[]): TransactionTag {
  const regions = new Map<Address, TransactionRegion>()
  for (const { owner } of written) {
    const { address, generation } = owner.descriptor
    regions.set(address, { address, generation, parts: (regions.get(address)?.parts ?? 0) + 1 })
  }
  const view = new DataView(Uint8Array.from(random.bytes(16)).buffer)
  return {
    id: addressFromParts(view.getBigUint64(0), view.getBigUint64(8)),
    regions: [...regions.values()].sort((a, b) => (a.address < b.address ? -1 : 1)),
  }
}

function isUsable({ isOpen, mode, terms, owner }: LockContext): boolean {
  return isOpen && owner.isValid(mode, terms)
}

/** Throws `invalid-argument`. */
function check(access: SiteAccess, contexts: readonly LockContext[]): void {
  if (!Array.isArray(contexts) || contexts.length > transactionPartsMax) {
    const limit = `unlockAll takes a list of at most ${transactionPartsMax} lock contexts`
    throw new KhazanaError('invalid-argument', `${limit}, not ${shown(contexts)}`)
  }
  if (new Set(contexts).size !== contexts.length)
    throw new KhazanaError('invalid-argument', 'a lock context is in the list twice')
  for (const context of contexts) {
    if (!(context instanceof LockContext))
      throw new KhazanaError('invalid-argument', `not a lock context: ${shown(context)}`)
    if (context.isEnded) throw new KhazanaError('invalid-argument', 'one of the locks has ended already')
    if (access.replicas.get(context.owner.descriptor.address) !== context.owner && context.isOpen)
      throw new KhazanaError('invalid-argument', 'one of the locks is of another process, or was closed')
  }
}

/** Throws `unsupported`. */
function checkSupported(written: readonly LockContext[]): void {
  if (written.length < 2) return
  const star = written.find(({ owner }) => owner.isStar)
  if (star !== undefined) {
    const { protocol } = star.owner.descriptor.attributes
    throw new KhazanaError(
      'unsupported',
      `what is written in regions with the protocol ${protocol} cannot be released together with other writes: ` +
        'use strict consistency without a conflict test, or release the locks one by one',
    )
  }
  const regions = new Set(written.map(({ owner }) => owner.descriptor.address))
  if (regions.size > transactionRegionsMax)
    throw new KhazanaError('unsupported', `at most ${transactionRegionsMax} regions can be written together`)
}

function discarded(contexts: readonly LockContext[]): KhazanaError {
  for (const context of contexts) context.discard()
  return new KhazanaError(
    'context-broken',
    'the right behind one of the locks was lost: nothing that was written under any of them is kept, lock again',
  )
}
