import type { Address } from '../../../src/address/address.js'
import { Decider } from '../../../src/node/transaction/decider.js'
import type { DeciderEffect } from '../../../src/node/transaction/decider.js'
import { Participant } from '../../../src/node/transaction/participant.js'
import type { ParticipantEffect } from '../../../src/node/transaction/participant.js'
import type { TransactionBug } from '../../../src/node/transaction/transaction-bug.js'
import type { TransactionVote } from '../../../src/wire/transaction-message.js'
import type { Prng } from '../../../src/stdx/prng.js'

type Ended = 'committed' | 'aborted'

/** What the log of the region that decides may say: nothing, or that it happens. */
interface DecidingHome {
  decision: 'none' | 'made'
  /** Its own pages, which are written with the decision. */
  isWritten: boolean
  isForgotten: boolean
  machine: Decider | undefined
  /** Counts its lives: what an earlier one began is void. */
  life: number
  isDown: boolean
}

interface OtherHome {
  readonly region: Address
  note: 'none' | 'prepared'
  isWritten: boolean
  machine: Participant | undefined
  life: number
  isDown: boolean
}

/** Things that are to happen, in any order. */
interface Pending {
  readonly what: string
  readonly run: () => void
}

/**
 * One transaction of a deciding region and some others, each at a home of its own, over calls that may be lost, late or twice, and logs that
 * keep what was durable. What a home has in memory goes with it when it crashes, also what a site had sent to it.
 */
export class TransactionWorld {
  readonly decider: DecidingHome = {
    decision: 'none',
    isWritten: false,
    isForgotten: false,
    machine: undefined,
    life: 0,
    isDown: false,
  }
  readonly others: readonly OtherHome[]
  /** What sites were told. */
  readonly told = new Set<Ended>()
  readonly #pending: Pending[] = []
  readonly #random: Prng
  readonly #bug: TransactionBug | undefined
  #isCalm = false

  constructor(random: Prng, count: number, bug?: TransactionBug) {
    this.#random = random
    this.#bug = bug
    this.others = Array.from({ length: count }, (_, index) => ({
      region: BigInt(index + 1) as Address,
      note: 'none',
      isWritten: false,
      machine: undefined,
      life: 0,
      isDown: false,
    }))
    // The site sends what it wrote, to each home by itself, while that lives.
    this.#inLife(this.decider, 'own parts', () => {
      this.#decide(
        this.#decidingMachine().step({ kind: 'own-ready', others: this.others.map(({ region }) => region) }),
      )
    })
    for (const other of this.others) {
      this.#inLife(other, 'parts', () => {
        other.machine = new Participant()
        this.#take(other, other.machine.begin())
      })
    }
  }

  /** Anything that may happen next, and now and then a fault. False where nothing is left. */
  step(): boolean {
    const random = this.#random
    if (!this.#isCalm && random.chance(0.06)) this.#crash(random.pick([this.decider, ...this.others]))
    if (!this.#isCalm && random.chance(0.04)) this.#fail()
    if (this.#pending.length === 0) return false
    const [next] = this.#pending.splice(random.below(this.#pending.length), 1)
    next?.run()
    return true
  }

  /** No more faults: who is down comes back, and nothing that is said is lost. Answers whether all has come to an end. */
  settle(): boolean {
    this.#isCalm = true
    for (const home of [this.decider, ...this.others]) if (home.isDown) this.#start(home)
    for (let count = 0; count < 3000; count++) {
      if (!this.step()) this.#wake()
      if (this.#isAtRest) return true
    }
    return false
  }

  /** All or none, on the disks and to the sites; and nobody gives up what others may still ask for. */
  check(): string | undefined {
    const written = [this.decider, ...this.others].map(({ isWritten }) => isWritten)
    if (written.includes(true) && this.told.has('aborted'))
      return 'a site was told that nothing happened, and something did'
    if (this.told.has('committed') && this.told.has('aborted')) return 'sites were told of both outcomes'
    // What has not been written yet must be waiting to be.
    const isCut = this.others.some(
      (other) => written.includes(true) && !other.isWritten && other.note === 'none',
    )
    if (isCut) return 'some of it happened, and some of it never will'
    if (
      this.told.has('committed') &&
      this.others.some(({ note, isWritten }) => note === 'none' && !isWritten)
    )
      return 'a site was told that it happened, and some of it never will'
    if (this.told.has('committed') && !this.decider.isWritten) return 'what was acknowledged is lost'
    return undefined
  }

  get #isAtRest(): boolean {
    const isDone = this.others.every(({ note }) => note === 'none')
    return (
      isDone && (this.decider.decision === 'none' || this.decider.isForgotten) && this.#pending.length === 0
    )
  }

  // ---- faults ------------------------------------------------------------------------------------------------------

  #crash(home: DecidingHome | OtherHome): void {
    if (home.isDown) {
      this.#start(home)
      return
    }
    home.isDown = true
    home.life += 1
    home.machine = undefined
  }

  /** What is on the disk is read. */
  #start(home: DecidingHome | OtherHome): void {
    home.isDown = false
    if ('region' in home) {
      if (home.note === 'none') return
      home.machine = new Participant()
      this.#take(home, home.machine.resume())
    } else if (home.decision === 'made' && !home.isForgotten) {
      home.machine = new Decider(this.#bug)
      this.#decide(home.machine.resume(this.others.map(({ region }) => region)))
    }
  }

  #fail(): void {
    const random = this.#random
    if (random.chance(0.5)) {
      const { machine } = this.decider
      if (machine !== undefined)
        this.#decide(machine.step({ kind: random.pick(['own-failed', 'time-over']) }))
      return
    }
    const other = random.pick(this.others)
    if (other.machine !== undefined)
      this.#take(other, other.machine.step({ kind: random.pick(['failed', 'alarm']) }))
  }

  /** Nothing is on the way: those who wait ask again, or give up waiting. */
  #wake(): void {
    const { decider } = this
    if (decider.machine !== undefined) this.#decide(decider.machine.step({ kind: 'time-over' }))
    for (const other of this.others) {
      if (other.machine !== undefined) this.#take(other, other.machine.step({ kind: 'alarm' }))
    }
  }

  // ---- the region that decides ---------------------------------------------------------------------------------------

  #decidingMachine(): Decider {
    this.decider.machine ??= new Decider(this.#bug)
    return this.decider.machine
  }

  #decide(effects: readonly DeciderEffect[]): void {
    const { decider } = this
    for (const effect of effects) {
      switch (effect.kind) {
        case 'decide':
          this.#inLife(decider, 'decision', () => {
            const isRefused = !this.#isCalm && this.#random.chance(0.2)
            if (!isRefused) {
              decider.decision = 'made'
              decider.isWritten = true
            }
            const event = isRefused
              ? ({ kind: 'not-decided', isSure: true } as const)
              : ({ kind: 'decided' } as const)
            this.#decide(this.#decidingMachine().step(event))
          })
          break
        case 'end-own':
          if (effect.outcome !== 'unknown') this.told.add(effect.outcome)
          break
        case 'tell':
          this.#tell(effect.region, effect.outcome)
          break
        case 'forget':
          this.#inLife(decider, 'forget', () => {
            decider.isForgotten = true
            decider.machine = undefined
          })
          break
      }
    }
  }

  /** A decision is told until it is heard; that there is none, once. */
  #tell(region: Address, outcome: Ended): void {
    const { decider } = this
    const other = this.others.find((each) => each.region === region)
    if (other === undefined) return
    this.#inLife(decider, 'tell', () => {
      const isLost = other.isDown || this.#isLost()
      if (!isLost && other.machine !== undefined)
        this.#take(other, other.machine.step({ kind: 'outcome', outcome }))
      // Answered when it is done there.
      const isHeard = !isLost && other.machine === undefined
      if (isHeard) {
        this.#inLife(decider, 'told', () => {
          this.#decide(this.#decidingMachine().step({ kind: 'told', region }))
        })
      } else if (outcome === 'committed') this.#tell(region, outcome)
    })
  }

  // ---- the others ----------------------------------------------------------------------------------------------------

  #take(other: OtherHome, effects: readonly ParticipantEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'prepare':
          this.#inLife(other, 'prepare', () => {
            const isRefused = !this.#isCalm && this.#random.chance(0.2)
            if (!isRefused) other.note = 'prepared'
            const event = isRefused
              ? ({ kind: 'not-prepared', isSure: true } as const)
              : ({ kind: 'prepared' } as const)
            if (other.machine !== undefined) this.#take(other, other.machine.step(event))
          })
          break
        case 'vote':
          this.#vote(other, effect.vote)
          break
        case 'apply':
        case 'drop':
          this.#inLife(other, effect.kind, () => {
            other.note = 'none'
            if (effect.kind === 'apply') other.isWritten = true
            if (other.machine !== undefined) this.#take(other, other.machine.step({ kind: 'done' }))
          })
          break
        case 'end':
          if (effect.outcome !== 'unknown') this.told.add(effect.outcome)
          other.machine = undefined
          break
      }
    }
  }

  /** A question may come late, or twice, also when the one who asked is no more. */
  #vote(other: OtherHome, vote: TransactionVote): void {
    const { life } = other
    const ask = (): void => {
      if (this.decider.isDown || this.#isLost()) return
      const machine = this.#decidingMachine()
      this.#decide(machine.step({ kind: 'vote', by: other.region, vote }))
      const { outcome } = machine
      this.#pending.push({
        what: 'answer',
        run: () => {
          if (other.life !== life || other.machine === undefined || outcome === 'open' || this.#isLost())
            return
          this.#take(other, other.machine.step({ kind: 'outcome', outcome }))
        },
      })
    }
    this.#pending.push({ what: 'vote', run: ask })
    if (!this.#isCalm && this.#random.chance(0.2)) this.#pending.push({ what: 'the same vote', run: ask })
  }

  #isLost(): boolean {
    return !this.#isCalm && this.#random.chance(0.15)
  }

  /** What happens only if the home lives until then. */
  #inLife(home: DecidingHome | OtherHome, what: string, run: () => void): void {
    const { life } = home
    this.#pending.push({
      what,
      run: () => {
        if (home.life === life && !home.isDown) run()
      },
    })
  }
}
