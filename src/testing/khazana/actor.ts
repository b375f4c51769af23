import type { Address } from '../../address/address.js'
import type { LockDemands } from '../../address/lock-demands.js'
import type { LockMode } from '../../address/lock-mode.js'
import { pagesOf } from '../../address/range.js'
import type { Khazana } from '../../client/khazana.js'
import type { Clock } from '../../io/clock.js'
import type { LockContext } from '../../node/replica/lock-context.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { Prng } from '../../stdx/prng.js'
import type { HistoryRecorder, ReadBound } from '../history.js'
import { readCell, writeCell } from './cell.js'
import { Locker } from './locker.js'
import { pause } from './pause.js'
import type { OutsideStore } from './outside-store.js'
import type { Place } from './place.js'
import { isAlwaysStrict } from './pledge.js'
import type { Pledge } from './pledge.js'
import { floodMemory, useScratch } from './scratch.js'
import type { OpenSection, SectionLog } from './section-log.js'
import { SpaceUser } from './space-user.js'
import type { SpaceLog } from './space-log.js'
import { Transfers } from './transfers.js'
import type { Pair } from './transfers.js'

export interface ActorOptions {
  /** Unlike that of any other actor, also of an earlier life of its process. */
  readonly name: string
  readonly khazana: Khazana
  readonly clock: Clock
  readonly random: Prng
  readonly history: HistoryRecorder
  readonly sections: SectionLog
  readonly outside: OutsideStore
  readonly places: readonly Place[]
  /** Beside these; none where nothing is released together. */
  readonly pairs: readonly Pair[]
  /** Nodes that regions are moved to, while they are used; none where they stay. They may have left by then. */
  readonly movesTo: () => readonly string[]
  /** Where address space is reserved and given back: what all programs have of it. */
  readonly space: SpaceLog | undefined
  /** Whether this site holds copies of a region whose home it cannot reach. */
  readonly isCutOff: (region: Address) => boolean
  /** Whether a page may be damaged for a while, where those who have it in order are down. */
  readonly mayBeDamaged: () => boolean
  /** Takes one operation from what is to be done; false when all is. */
  readonly take: () => boolean
  /** Something that must never happen. */
  readonly complain: (what: string) => void
  /** `hasty`: also gives up early, and aborts. `patient`: takes the time it needs. */
  readonly temper: 'hasty' | 'patient'
}

/** Errors that say that nothing was done. */
const harmless: ReadonlySet<ErrorCode> = new Set([
  'timeout',
  'aborted',
  'unreachable',
  'context-broken',
  'no-space',
  'no-memory',
  'closed',
  'busy',
])

/** How often an operation is to move the region's home, where homes move. */
const movingShare = 0.06
/** How often a section that may write does so outside as well, at its beginning and at its end. */
const outsideShare = 0.4
/** How often an operation is one on the address space, where there are such. */
const spaceShare = 0.25

/** How often an operation is on a pair, where there are any. */
const transferShare = 0.25

/** What a lock asks for beside its bytes, and how far behind its bytes may be then. */
interface Wish {
  readonly demands: LockDemands | undefined
  readonly bound: ReadBound | undefined
}

/** A granted lock on a place. */
interface Section {
  readonly lock: LockContext
  readonly log: OpenSection
}

/** How long one region may take to be found when nothing is in the way. */
const findMsMax = 20_000

const fresh: ReadBound = { ms: 0, versions: 0 }

/** A program that works on shared keys: reads, writes, and changes what it has read, one section after the other. */
export class Actor {
  readonly #options: ActorOptions
  readonly #locker: Locker
  readonly #spaceUser: SpaceUser | undefined
  /** Its own, so that fences change nothing of what else is done. */
  readonly #fenceRandom: Prng
  readonly #transfers: Transfers | undefined
  /** For these alone: what else a run does is not to depend on them. */
  readonly #random: Prng
  #written = 0
  #isStopped = false

  constructor(options: ActorOptions) {
    this.#options = options
    this.#locker = new Locker(options)
    this.#fenceRandom = options.random.fork('fences')
    const { space, pairs, random } = options
    this.#random = random.fork('transfers')
    if (pairs.length > 0) {
      this.#transfers = new Transfers({
        ...options,
        random: this.#random,
        locker: new Locker({ ...options, random: this.#random.fork('locks') }),
        judge: (reason) => {
          this.#judge(reason)
        },
      })
    }
    if (space !== undefined) this.#spaceUser = new SpaceUser({ ...options, log: space })
  }

  /** Works until all is done. Rejects only for what no fault explains. */
  async run(): Promise<void> {
    const { random, take, clock } = this.#options
    while (!this.#isStopped && take()) {
      await this.#operate()
      if (random.chance(0.3)) await pause(clock, random.exponential(20))
    }
  }

  /** Ends the work after the operation that is being done. */
  stop(): void {
    this.#isStopped = true
  }

  /** Reads every key until each has answered, within its time each. */
  async readAll(): Promise<void> {
    for (const place of this.#options.places) await this.#read(place)
    for (const place of this.#options.pairs.flat()) await this.#read(place)
  }

  /** Looks up all regions that there are, and what there is not. */
  async findAll(): Promise<void> {
    const { space, name, complain } = this.#options
    const user = this.#spaceUser
    if (space === undefined || user === undefined) return
    try {
      for (const region of space.live) await user.lookUp(region, findMsMax)
      await user.lookUpInVain(findMsMax)
    } catch (reason) {
      complain(`${name} cannot look up what it should: ${KhazanaError.from(reason).stack ?? ''}`)
    }
  }

  async #operate(): Promise<void> {
    const { random, places } = this.#options
    if (this.#transfers !== undefined && this.#random.chance(transferShare)) return this.#transfers.operate()
    const movesTo = this.#options.movesTo()
    const place = random.pick(places)
    if (movesTo.length > 0 && random.chance(movingShare)) return this.#move(place, random.pick(movesTo))
    if (this.#spaceUser !== undefined && random.chance(spaceShare)) return this.#useSpace(this.#spaceUser)
    const kind = random.unit()
    if (kind > 0.97) return this.#doRareThing(place)
    if (kind < 0.45) await this.#read(place)
    else if (kind < 0.6) await this.#write(place, 'blind')
    else if (kind < 0.9) await this.#write(place, 'read-first')
    else if (place.pledge.reads === 'eventual' && random.chance(0.5)) await this.#doRareThing(place)
    else await this.#discard(place)
  }

  async #doRareThing({ region, pledge }: Place): Promise<void> {
    const { khazana, random, name, complain } = this.#options
    const { changes, reads, attributes } = pledge
    try {
      if (changes.length > 0) await this.#changeConsistency(region, pledge)
      else if (reads === 'eventual') await floodMemory(khazana)
      else await useScratch({ khazana, random, name, attributes, complain })
    } catch (error) {
      this.#judge(error)
    }
  }

  async #move({ region: address }: Place, to: string): Promise<void> {
    const { random } = this.#options
    const timeoutMs = random.logarithmic(100, 20_000)
    try {
      const region = await this.#locker.region(address, timeoutMs)
      const before = region.descriptor.home
      await region.migrate(to, { timeoutMs })
      const { space } = this.#options
      if (space !== undefined && region.descriptor.home !== before) space.counts.moved += 1
    } catch (error) {
      // It has left since it was chosen, or has come so newly that not every node has heard of it.
      const isNotKnown = KhazanaError.from(error).code === 'invalid-argument' && this.#spaceUser !== undefined
      if (!isNotKnown) this.#judge(error)
    }
  }

  async #useSpace(user: SpaceUser): Promise<void> {
    try {
      await user.operate()
    } catch (error) {
      this.#judge(error)
    }
  }

  /** While others are at work in the region. */
  async #changeConsistency(address: Address, { changes }: Pledge): Promise<void> {
    const { random } = this.#options
    const timeoutMs = random.logarithmic(100, 20_000)
    const region = await this.#locker.region(address, timeoutMs)
    await region.setAttributes(random.pick(changes), { timeoutMs })
  }

  /** Reads and records: also used for the last look at every key. What it saw; undefined where it saw nothing. */
  async #read(place: Place): Promise<string | null | undefined> {
    const { history, name, temper, complain, isCutOff } = this.#options
    const { cell, pledge, region } = place
    const operation = history.read(name, cell.key)
    const wish = this.#wishToRead(place)
    try {
      const wasCutOff = isCutOff(region)
      const { lock, log } = await this.#lock(place, 'read', wish.demands)
      const mayBeOlder = pledge.whenCutOff === 'read-only' && wish.demands === undefined
      const isWaived = mayBeOlder && (wasCutOff || isCutOff(region))
      // Then only what the lock says of itself is promised.
      const bound = isWaived ? boundOf(lock.ageMs, Infinity) : wish.bound
      let value: string | null
      try {
        value = readCell(lock, cell)
        await this.#linger()
        if (pledge.isolation === 'snapshot' && lock.isOpen && readCell(lock, cell) !== value) {
          complain(`${name} saw ${cell.key} change under its read lock`)
        }
        noteUse(lock, log)
      } catch (error) {
        lock.discard()
        throw error
      }
      await lock.unlock()
      operation.read(value, bound)
      return value
    } catch (error) {
      operation.failed()
      this.#judge(error)
      if (temper === 'patient')
        complain(`${name} cannot read ${cell.key}: ${KhazanaError.from(error).message}`)
      return undefined
    }
  }

  /** In a `bounded` region also other bounds than the region's own. */
  #wishToRead({ pledge }: Place): Wish {
    const { random, temper } = this.#options
    const { reads, staleness } = pledge
    if (reads !== 'bounded') return { demands: undefined, bound: undefined }
    const { ms, versions } = staleness
    const which = temper === 'patient' ? 0 : random.unit()
    if (which < 0.2) return { demands: { staleness: 'fresh' }, bound: fresh }
    if (which < 0.7) return { demands: undefined, bound: boundOf(ms, versions) }
    const loose = { ms: ms * 3, versions: versions * 2 }
    return { demands: { staleness: loose }, bound: boundOf(loose.ms, loose.versions) }
  }

  async #write(place: Place, kind: 'blind' | 'read-first'): Promise<void> {
    const { history, name, complain } = this.#options
    const { cell } = place
    if (cell.form.kind !== 'text' && cell.form.values.isFull) {
      await this.#read(place)
      return
    }
    const value = `${name}:${++this.#written}`
    if (cell.form.kind !== 'text') cell.form.values.add(value)
    const operation = history.write(name, cell.key, value)
    let old: string | null | undefined
    let lock: LockContext
    try {
      const section = await this.#lock(place, this.#modeToWrite(place), undefined)
      lock = section.lock
      try {
        this.#writeOutside(place, lock)
        if (kind === 'read-first' && cell.form.kind !== 'set') old = readCell(lock, cell)
        writeCell(lock, cell, value)
        await this.#linger()
        this.#writeOutside(place, lock)
        noteUse(lock, section.log)
      } catch (error) {
        lock.discard()
        throw error
      }
    } catch (error) {
      operation.failed()
      this.#judge(error)
      return
    }
    try {
      const ending = lock.unlock()
      const seen = this.#looksAtOnce(place, old) ? await this.#readDuring(ending, place) : undefined
      await ending
      operation.wrote(old)
      if (seen !== undefined && seen === old) complain(`${name} does not see what it wrote to ${cell.key}`)
    } catch (error) {
      const { code } = KhazanaError.from(error)
      if (code === 'outcome-unknown' || code === 'storage-failed') operation.unknown(old)
      else operation.failed()
      this.#judge(error)
    }
  }

  /** Some look at what they wrote while it is on its way. */
  #looksAtOnce({ pledge }: Place, old: string | null | undefined): boolean {
    // That a site sees what is still on its way from it is a promise of the protocols of this package alone.
    if (old === undefined || pledge.attributes.protocol !== undefined) return false
    return pledge.excludes !== 'everybody' && this.#options.random.chance(0.2)
  }

  /** `ending` may reject meanwhile; who began it will wait for it. */
  async #readDuring(ending: Promise<void>, place: Place): Promise<string | null | undefined> {
    ending.catch(() => undefined)
    return this.#read(place)
  }

  #modeToWrite({ cell, pledge }: Place): LockMode {
    return cell.form.kind === 'number' && pledge.writeShared === 'beside' ? 'write-shared' : 'write'
  }

  /** Writes what nobody must ever see. */
  async #discard(place: Place): Promise<void> {
    const { cell } = place
    const value = `discarded by ${this.#options.name}`
    try {
      const { lock } = await this.#lock(place, this.#modeToWrite(place), undefined)
      try {
        if (cell.form.kind === 'text') writeCell(lock, cell, value)
        else lock.write(cell.offset, new Uint8Array(cell.slots[0]?.length ?? 0).fill(0xff))
        await this.#linger()
        this.#writeOutside(place, lock)
      } finally {
        lock.discard()
      }
    } catch (error) {
      this.#judge(error)
    }
  }

  async #lock(place: Place, mode: LockMode, demands: LockDemands | undefined): Promise<Section> {
    const { cell, pledge, region, pageSize } = place
    const { excludes } = pledge
    const tag = excludes === 'by-tag' || excludes === 'writers-by-tag' ? cell.key : ''
    const lock = await this.#locker.lock(region, mode, cell, tag === '' ? demands : { ...demands, tag })
    const pages = pagesOf(cell, pageSize)
    return {
      lock,
      log: this.#options.sections.begin(this.#options.name, { region, pages, mode, tag, excludes }),
    }
  }

  /** Some sections also change what is outside global memory. */
  #writeOutside({ region, cell, pageSize, pledge }: Place, lock: LockContext): void {
    if (!this.#fenceRandom.chance(outsideShare)) return
    const { name, outside, complain } = this.#options
    let fence: bigint
    try {
      fence = lock.fence
    } catch (error) {
      const { code } = KhazanaError.from(error)
      if (code === 'context-broken' || code === 'context-closed') return
      if (code !== 'unsupported' || isAlwaysStrict(pledge)) complain(`${name} gets no fence: ${code}`)
      return
    }
    const wrong = outside.write(region, pagesOf(cell, pageSize), { fence, lock, by: name })
    if (wrong !== undefined) complain(wrong)
  }

  async #linger(): Promise<void> {
    const { random, clock } = this.#options
    if (random.chance(0.3)) await pause(clock, random.exponential(10))
  }

  #judge(reason: unknown): void {
    const error = KhazanaError.from(reason)
    if (harmless.has(error.code) || error.code === 'outcome-unknown' || error.code === 'storage-failed')
      return
    if (error.code === 'damaged' && this.#options.mayBeDamaged()) return
    this.#options.complain(`${this.#options.name}: ${error.code}: ${error.stack ?? error.message}`)
  }
}

function boundOf(ms: number, versions: number): ReadBound {
  return { ms: ms === Infinity ? null : ms, versions: versions === Infinity ? null : versions }
}

/** Notes that the lock is in order, if it is. */
function noteUse(lock: LockContext, log: OpenSection): void {
  try {
    lock.read(lock.offset, 1)
  } catch {
    // Its end will say so.
    return
  }
  log.used()
}
