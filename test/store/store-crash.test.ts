import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KhazanaError } from '../../src/stdx/errors.js'
import { Prng } from '../../src/stdx/prng.js'
import type { CommitGroup, PageDamage, PageWrite, Store, StoreLimits } from '../../src/store/store.js'
import { SimDirectory } from '../../src/testing/sim-directory.js'
import { content, KiB, open, page, space, turns, write } from './store-fixture.js'
import { assertHolds, outlineOf, StoreModel } from './store-model.js'

interface Issued {
  readonly group: CommitGroup
  outcome: 'pending' | 'durable' | 'refused'
}

const nothingSeen = {
  crashes: 0,
  kills: 0,
  refusals: 0,
  cleanings: 0,
  lostTails: 0,
  limits: 0,
  damaged: 0,
  mended: 0,
}

/** Plays one life of a directory: commits, crashes, kills, clean closes, reopenings. */
class Life {
  readonly #random: Prng
  readonly #limits: StoreLimits
  readonly #pagesPerSpace: number
  #version = 0
  /** As of the last reopening. */
  #model = new StoreModel()
  #issued: Issued[] = []
  #directory: SimDirectory
  readonly seen = { ...nothingSeen }
  /** What was said to be lost lately, to be mended. */
  #lost: PageWrite[] = []

  constructor(seed: number) {
    this.#random = Prng.fromSeed(seed)
    const segmentBlocks = 24 + this.#random.below(24)
    this.#limits = {
      segmentBytes: segmentBlocks * 4 * KiB,
      diskBytesMax: segmentBlocks * 4 * KiB * (9 + this.#random.below(6)),
      pageBytesMax: 8 * KiB,
    }
    this.#pagesPerSpace = 12 + this.#random.below(70)
    const delays = this.#random.fork('delays')
    this.#directory = new SimDirectory({
      delay: async () => {
        if (delays.chance(0.3)) await turns(delays.below(3))
      },
    })
  }

  async run(): Promise<void> {
    for (let generation = 0; generation < 8; generation++) {
      const store = await open(this.#directory, { limits: this.#limits, seed: this.#random.uint32() })
      this.#settleModel(store)
      await assertHolds(store, this.#model)
      this.seen.damaged += store.damage.length
      this.seen.mended += this.#lost.filter((write) => isThere(store, write)).length
      await this.#work(store)
      const end = this.#random.below(10)
      if (end < 5) {
        this.seen.crashes++
        this.#directory = this.#directory.crash(this.#random)
      } else if (end < 8) {
        this.seen.kills++
        this.#directory = this.#directory.kill()
      } else {
        await Promise.all(this.#issued.map((issued) => this.#settled(issued)))
        await store.close()
      }
    }
  }

  /** What was found must be all that was acknowledged, and then some first part of what was under way. */
  #settleModel(store: Store): void {
    const found = outlineOf(store)
    const accepted = this.#issued.filter((issued) => issued.outcome !== 'refused')
    const durable = accepted.findLastIndex((issued) => issued.outcome === 'durable') + 1
    const model = this.#model.copy()
    for (const { group } of accepted.slice(0, durable)) model.apply(group)
    let matched = durable
    while (model.outline() !== found && matched < accepted.length) {
      const next = accepted[matched++]
      if (next !== undefined) model.apply(next.group)
    }
    assert.equal(found, model.outline(), `after ${durable} durable commits of ${accepted.length}`)
    if (matched < accepted.length) this.seen.lostTails++
    this.#model = model
    this.#issued = []
  }

  async #work(store: Store): Promise<void> {
    const steps = this.#random.below(120)
    const diskBefore = store.diskBytes
    for (let step = 0; step < steps; step++) {
      const issued: Issued = { group: this.#randomGroup(store), outcome: 'pending' }
      this.#issued.push(issued)
      store.commit(issued.group).then(
        () => (issued.outcome = 'durable'),
        (reason: unknown) => {
          assert(reason instanceof KhazanaError && reason.code === 'no-space', String(reason))
          this.seen.refusals++
          issued.outcome = 'refused'
        },
      )
      if (this.#random.chance(0.5)) await this.#settled(issued)
      if (this.#random.chance(0.02)) this.#changeLimit(store)
    }
    if (store.diskBytes === diskBefore && steps > 40) this.seen.cleanings++
    if (this.#random.chance(0.5)) await turns(this.#random.below(10))
  }

  /** Until the store is opened again. */
  #changeLimit(store: Store): void {
    const { segmentBytes = 0 } = this.#limits
    try {
      store.limitDisk(segmentBytes * (8 + this.#random.below(12)))
      this.seen.limits++
    } catch (reason) {
      assert(reason instanceof KhazanaError && reason.code === 'no-space', String(reason))
    }
  }

  async #settled(issued: Issued): Promise<void> {
    for (let turn = 0; issued.outcome === 'pending'; turn++) {
      assert(turn < 20_000, 'a commit settles')
      await turns(1)
    }
  }

  #randomGroup(store: Store): CommitGroup {
    const random = this.#random
    const kind = random.below(12)
    const range = { first: page(random.below(this.#pagesPerSpace)), count: 1 + random.below(12) }
    if (kind === 0) return { frees: [{ space: space(random.below(3)), range }] }
    if (kind === 1)
      return { drops: [space(random.below(3))], pages: random.chance(0.5) ? [this.#randomPage()] : [] }
    if (kind === 2) return { deletes: [`key ${random.below(8)}`] }
    if (kind === 3) {
      return {
        puts: [{ key: `key ${random.below(8)}`, value: random.bytes(random.below(600)) }],
        deletes: [`key ${random.below(8)}`],
      }
    }
    if (kind === 10) {
      const lost = Array.from({ length: 1 + random.below(4) }, () => this.#randomPage())
      this.#lost = [...lost, ...this.#lost].slice(0, 12)
      const damages = [...lost.map(stampOf), ...this.#someKnown(store)]
      return random.chance(0.3)
        ? { damages, pages: [this.#randomPage()], mends: [random.pick(lost)] }
        : { damages }
    }
    if (kind === 11) return { mends: [this.#randomPage(), ...this.#lost.filter(() => random.chance(0.3))] }
    // Mostly within what must fit; now and then too much, to be refused.
    const count =
      store.liveBytes > store.usableBytes && random.chance(0.6)
        ? 0
        : 1 + random.below(random.chance(0.1) ? 90 : 6)
    const pages = Array.from({ length: count }, () => this.#randomPage())
    return kind === 4 ? { pages, frees: [{ space: space(random.below(3)), range }] } : { pages }
  }

  /** A page in the very version that is here. */
  #someKnown(store: Store): PageDamage[] {
    const at = space(this.#random.below(3))
    const known = [...store.pagesOf(at)].map((stamp) => ({ space: at, ...stamp }))
    return known.length === 0 ? [] : [this.#random.pick(known)]
  }

  #randomPage(): PageWrite {
    const version = ++this.#version
    const bytes = content(version, this.#random.chance(0.2) ? 8 * KiB : 4 * KiB)
    return write(this.#random.below(3), this.#random.below(this.#pagesPerSpace), version, bytes)
  }
}

function isThere(store: Store, { space, page, version }: PageWrite): boolean {
  return store.versionOf(space, page) === version && !store.isDamaged(space, page)
}

const stampOf = ({ space, page, version }: PageWrite): PageDamage => ({ space, page, version })

test('after a power cut, or the death of the process alone, every acknowledged group is there, and of the others a first part, each whole', async () => {
  const seeds = Number(process.env['SEEDS'] ?? 150)
  const first = Number(process.env['SEED'] ?? 1)
  const seen = { ...nothingSeen }
  for (let seed = first; seed < first + seeds; seed++) {
    const life = new Life(seed)
    try {
      await life.run()
    } catch (cause) {
      throw new Error(`with SEED=${seed}`, { cause })
    }
    for (const key of Object.keys(seen) as (keyof typeof seen)[]) seen[key] += life.seen[key]
  }
  if (process.env['SEEDS'] !== undefined) console.log(JSON.stringify(seen))
  // The run must have been through what it is about.
  if (seeds >= 100)
    for (const [what, count] of Object.entries(seen)) assert(count > 10, `${what}: only ${count}`)
})
