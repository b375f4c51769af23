import type { Prng } from '../stdx/prng.js'
import type { Scheduler } from './scheduler.js'
import { SimConnection } from './sim-connection.js'
import type { ConnectionHost } from './sim-connection.js'
import type { SimLink } from './sim-link.js'
import { SimPipe } from './sim-pipe.js'
import type { PipeEnds, PipeOptions } from './sim-pipe.js'
import type { Death, SimProcess } from './sim-process.js'

export interface StreamOptions extends PipeOptions {
  /** Each side notices a broken link within this, in ms, independently. */
  readonly breakNoticeMsMax: number
  /** A side whose peer vanished without a word notices within this even if it sends nothing, in ms. */
  readonly keepaliveMsMin: number
  readonly keepaliveMsMax: number
}

/** One side of a new stream. */
export interface StreamSide {
  readonly process: SimProcess
  readonly host: string
  /** What the other side calls it. */
  readonly label: string
}

interface Side {
  readonly connection: SimConnection
  readonly host: string
  /** To the other side. */
  readonly out: SimPipe
  readonly link: SimLink
}

/** Two ends, two pipes, and the ways in which they come apart. */
export class SimStream implements ConnectionHost {
  readonly #scheduler: Scheduler
  readonly #random: Prng
  readonly #options: StreamOptions
  readonly #near: Side
  readonly #far: Side
  readonly #onGone: (stream: SimStream) => void

  constructor(
    scheduler: Scheduler,
    random: Prng,
    options: StreamOptions,
    sides: { readonly near: StreamSide; readonly far: StreamSide },
    links: { readonly forth: SimLink; readonly back: SimLink },
    onGone: (stream: SimStream) => void,
  ) {
    this.#scheduler = scheduler
    this.#random = random
    this.#options = options
    this.#onGone = onGone
    const pipe = (from: () => Side, to: () => Side, out: SimLink, back: SimLink, ends: Processes): SimPipe =>
      new SimPipe(scheduler, random, options, { forth: out, back }, this.#ends(from, to, ends))
    const near = sides.near.process
    const far = sides.far.process
    const forth = pipe(
      () => this.#near,
      () => this.#far,
      links.forth,
      links.back,
      { sender: near, receiver: far },
    )
    const back = pipe(
      () => this.#far,
      () => this.#near,
      links.back,
      links.forth,
      { sender: far, receiver: near },
    )
    this.#near = {
      connection: new SimConnection(near, sides.far.label, this, () => ({ out: forth, in: back })),
      host: sides.near.host,
      out: forth,
      link: links.forth,
    }
    this.#far = {
      connection: new SimConnection(far, sides.near.label, this, () => ({ out: back, in: forth })),
      host: sides.far.host,
      out: back,
      link: links.back,
    }
  }

  /** The end of who connected. */
  get near(): SimConnection {
    return this.#near.connection
  }

  /** The end of who accepted. */
  get far(): SimConnection {
    return this.#far.connection
  }

  get hosts(): readonly [near: string, far: string] {
    return [this.#near.host, this.#far.host]
  }

  get isGone(): boolean {
    return this.near.isClosed && this.far.isClosed
  }

  /** The link fails for this stream alone: bytes on the way are lost, and the sides notice at different times. */
  break(cause: string): void {
    this.#near.out.sever()
    this.#far.out.sever()
    for (const side of [this.#near, this.#far]) {
      this.#notice(side.connection, this.#random.between(0, this.#options.breakNoticeMsMax), cause)
    }
  }

  destroyed(end: SimConnection): void {
    this.#hangUp(this.#sideOf(end))
  }

  gone(): void {
    if (this.isGone) this.#onGone(this)
  }

  /** A process holding an end died. */
  died(process: SimProcess, death: Death): void {
    for (const [side, peer] of [
      [this.#near, this.#far],
      [this.#far, this.#near],
    ] as const) {
      if (side.connection.process !== process || side.connection.isClosed) continue
      side.connection.vanish()
      if (death === 'killed') this.#hangUp(side)
      else if (this.#random.chance(0.5)) side.out.sever()
      // Even if the kernel's word does not get through, or there is no kernel left to say it.
      const { keepaliveMsMin, keepaliveMsMax } = this.#options
      this.#notice(peer.connection, this.#random.between(keepaliveMsMin, keepaliveMsMax), 'keepalive')
    }
  }

  /** A machine that lost its power is back: its kernel refuses what it knows nothing of. */
  poweredOn(host: string): void {
    for (const [side, peer] of [
      [this.#near, this.#far],
      [this.#far, this.#near],
    ] as const) {
      if (side.host !== host || !side.connection.isClosed || peer.connection.isClosed) continue
      if (peer.out.unacknowledgedBytes > 0) this.#tellReset(side, peer)
      else peer.out.onNextSend(() => this.#tellReset(side, peer))
    }
  }

  #ends(from: () => Side, to: () => Side, processes: Processes): PipeEnds {
    return {
      ...processes,
      drained: () => from().connection.drained(),
      flushed: () => from().connection.flushed(),
      stalled: () => this.break('timeout'),
      arrived: (bytes) => to().connection.arrived(bytes),
      ended: () => to().connection.end({ kind: 'ended' }),
    }
  }

  #sideOf(end: SimConnection): Side {
    return end === this.#near.connection ? this.#near : this.#far
  }

  /** The kernel of one side closes: politely, or with a reset that overtakes what it sent. */
  #hangUp(side: Side): void {
    if (this.#random.chance(0.5)) {
      side.out.finishNow()
      return
    }
    side.out.sever()
    this.#tellReset(side, side === this.#near ? this.#far : this.#near)
  }

  #tellReset(from: Side, to: Side): void {
    this.#scheduler.schedule(undefined, from.link.latencyMs(), 'reset', () => {
      if (from.link.isBlocked) from.link.onceOpen(() => this.#tellReset(from, to))
      else this.#notice(to.connection, 0, 'connection reset')
    })
  }

  #notice(end: SimConnection, delayMs: number, cause: string): void {
    end.process.schedule(delayMs, 'notice', () => end.end({ kind: 'reset', cause }))
  }
}

interface Processes {
  readonly sender: SimProcess
  readonly receiver: SimProcess
}
