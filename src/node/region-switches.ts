import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import { isNode } from '../address/identity.js'
import type { SiteId } from '../address/identity.js'
import type { Clock } from '../io/clock.js'
import type { KhazanaError } from '../stdx/errors.js'
import type { Notice } from '../wire/message.js'
import { Deadline, withResolvers } from '../io/deadline.js'
import type { WaitOptions } from '../io/deadline.js'
import type { Replica } from './replica/replica.js'
import type { Session } from './session/session.js'

export interface RegionSwitchesOptions {
  readonly clock: Clock
  readonly replica: (region: Address) => Replica | undefined
  /** Live sessions with those who may have copies of the region below this site: all but its parent. */
  readonly children: (descriptor: RegionDescriptor) => Iterable<Session>
  /** Peers whose session is lost, and who may still use what this site granted. */
  readonly ending: () => Iterable<SiteId>
  readonly notify: (to: Session, descriptor: RegionDescriptor, notice: Notice) => void
  /** Whether it is still to be decided whether this site becomes the region's home. */
  readonly mayArrive: (region: Address) => boolean
  /** Home: what was held back since the region is sealed may be heard. */
  readonly unsealed: (region: Address) => void
}

/** One region that is being brought to rest. */
interface Switch {
  readonly descriptor: RegionDescriptor
  /** At the home, to whoever changes it; elsewhere, to the parent that asked. */
  quiet: () => void
  /** Home: it cannot go on to its end any more. */
  readonly ended: (error: KhazanaError) => void
  /** Undefined at the home. */
  parent: SiteId | undefined
  /** Whether the parent is lost, and it goes on all the same. */
  isOrphan: boolean
  /** Whether the answer is still owed. */
  isOwed: boolean
  readonly children: Map<SiteId, 'asked' | 'answered'>
  /** Of this site: tells answers from those to what it asked for before. */
  readonly serial: number
}

/**
 * Brings a region to rest at all sites, so that its protocol or its home can be changed with nothing lost, and starts it again. The home asks
 * its children, they ask theirs, and each answers when no lock is open there or below and nothing is on its way. Locks that
 * are asked for meanwhile wait at their site. Whoever begins to use the region later is asked when it first speaks. A site
 * that is cut off counts as at rest when its rights have ended. Rejected: to end locks by force, as a failure does: a change
 * of settings is no reason to lose what a program is in the middle of.
 *
 * From the moment in which all is at rest until the change is on the disk, the home's region is sealed: what its children say
 * then is heard afterwards, by whatever protocol it is kept with.
 */
export class RegionSwitches {
  readonly #options: RegionSwitchesOptions
  readonly #switches = new Map<Address, Switch>()
  #serial = 0

  constructor(options: RegionSwitchesOptions) {
    this.#options = options
  }

  /**
   * Home: resolves when the region is at rest everywhere. If that takes too long, everything goes on as it was, and it
   * throws `timeout` or `aborted`; `closed` where this site is closed meanwhile.
   */
  async suspend(descriptor: RegionDescriptor, options: WaitOptions): Promise<void> {
    const { promise, resolve, reject } = withResolvers<void>()
    const what = 'bringing the region to rest'
    const deadline = Deadline.start(this.#options.clock, what, options, (error) => {
      reject(error)
      // In the same turn: it could still come to rest, and be sealed for nobody.
      this.resume(descriptor)
    })
    try {
      this.#begin(descriptor, undefined, resolve, reject)
      await promise
    } finally {
      deadline.stop()
    }
  }

  /** Home: all go on, under this descriptor. */
  resume(descriptor: RegionDescriptor): void {
    this.handOver(descriptor, descriptor)
  }

  /** All who were below this site under the one descriptor go on under the other. */
  handOver(before: RegionDescriptor, after: RegionDescriptor): void {
    this.#end(before)
    for (const child of this.#options.children(before)) {
      this.#options.notify(child, after, { kind: 'resume', descriptor: after })
    }
    this.#options.unsealed(before.address)
  }

  /** This site is the home now, in a new era, of a region that nobody has handed to it: its clients hear so; other nodes look for the home by themselves. */
  takeOver(descriptor: RegionDescriptor): void {
    this.#end(descriptor)
    for (const child of this.#options.children(descriptor)) {
      if (!isNode(child.peer.site)) this.#options.notify(child, descriptor, { kind: 'resume', descriptor })
    }
    this.#options.unsealed(descriptor.address)
  }

  /** Home: whether all is at rest, and waits for the change to be made. */
  isSealed(region: Address): boolean {
    const current = this.#switches.get(region)
    return current?.parent === undefined && current?.isOwed === false
  }

  /** The parent wants the region at rest. */
  onSuspend(parent: Session, descriptor: RegionDescriptor, serial: number): void {
    const { site } = parent.peer
    const answer = (): void => {
      const idle = this.#options.replica(descriptor.address) === undefined
      this.#options.notify(parent, descriptor, { kind: 'suspended', serial, idle })
    }
    const current = this.#switches.get(descriptor.address)
    if (current === undefined) this.#begin(descriptor, site, answer, () => undefined)
    else {
      // Also where it is another parent: the region has moved, and the earlier one needs no answer.
      current.parent = site
      current.isOrphan = false
      current.quiet = answer
      current.isOwed = true
      this.#evaluate(current)
    }
  }

  onSuspended(child: SiteId, region: Address, serial: number): void {
    const current = this.#switches.get(region)
    if (current?.serial !== serial || current.children.get(child) !== 'asked') return
    current.children.set(child, 'answered')
    this.#evaluate(current)
  }

  /**
   * Somebody who knows lets all go on: the replica has the new descriptor already. What an earlier home says late does not end what
   * its successor wants.
   */
  onResume(from: SiteId, descriptor: RegionDescriptor): void {
    const current = this.#switches.get(descriptor.address)
    if (current !== undefined && current.parent !== from && current.descriptor.era >= descriptor.era) return
    this.resume(descriptor)
  }

  /** Somebody below uses the region: it is asked to stop, if it has not been, or has answered already. */
  onUse(child: Session, region: Address): void {
    const current = this.#switches.get(region)
    if (current === undefined || current.children.get(child.peer.site) === 'asked') return
    current.children.set(child.peer.site, 'asked')
    this.#options.notify(child, current.descriptor, { kind: 'suspend', serial: current.serial })
  }

  /** Somebody new below, who may have something of an earlier session. */
  onSession(child: Session): void {
    for (const current of this.#switches.values()) {
      const { children } = this.#options
      if (current.isOwed && [...children(current.descriptor)].includes(child)) {
        this.onUse(child, current.descriptor.address)
      }
    }
  }

  /** The replica was opened while its region is being brought to rest. */
  onOpened(replica: Replica): void {
    const current = this.#switches.get(replica.descriptor.address)
    if (current !== undefined) this.#suspend(replica, current)
  }

  /**
   * This site's rights at the peer have ended: it will not say `resume`. But where this site may be the home next, perhaps already
   * is by what the peer has decided, all stays at rest until that is known: what was accepted here meanwhile would be lost.
   */
  onParentLost(peer: SiteId): void {
    for (const current of [...this.#switches.values()]) {
      if (current.parent !== peer) continue
      if (this.#options.mayArrive(current.descriptor.address)) current.isOrphan = true
      else this.resume(current.descriptor)
    }
  }

  /** It is decided that this site does not become the home. */
  onStayedAway(region: Address): void {
    const current = this.#switches.get(region)
    if (current?.isOrphan === true) this.resume(current.descriptor)
  }

  /** The peer's rights at this site have ended. */
  onChildLost(peer: SiteId): void {
    for (const current of [...this.#switches.values()]) {
      if (current.children.delete(peer)) this.#evaluate(current)
    }
  }

  /** Whether anything is asked of the peer, or by it, that is not over. */
  involves(peer: SiteId): boolean {
    for (const { parent, children } of this.#switches.values()) {
      if (parent === peer || children.get(peer) === 'asked') return true
    }
    return false
  }

  /** Nothing is brought to rest any more. */
  close(error: KhazanaError): void {
    for (const current of this.#switches.values()) current.ended(error)
    this.#switches.clear()
  }

  #begin(
    descriptor: RegionDescriptor,
    parent: SiteId | undefined,
    quiet: Switch['quiet'],
    ended: Switch['ended'],
  ): void {
    const { children, ending, notify, replica: find } = this.#options
    const serial = ++this.#serial
    const current: Switch = {
      descriptor,
      quiet,
      ended,
      isOwed: true,
      isOrphan: false,
      parent,
      children: new Map(),
      serial,
    }
    this.#switches.set(descriptor.address, current)
    // Who is cut off may be in the middle of something for as long as its lease lasts.
    for (const peer of ending()) if (peer !== parent) current.children.set(peer, 'asked')
    for (const child of children(descriptor)) {
      current.children.set(child.peer.site, 'asked')
      notify(child, descriptor, { kind: 'suspend', serial })
    }
    const replica = find(descriptor.address)
    if (replica !== undefined) this.#suspend(replica, current)
    this.#evaluate(current)
  }

  #suspend(replica: Replica, current: Switch): void {
    replica.suspend(this, {
      stepped: () => {
        this.#evaluate(current)
      },
      switched: () => undefined,
    })
  }

  #evaluate(current: Switch): void {
    if (!current.isOwed || this.#switches.get(current.descriptor.address) !== current) return
    for (const state of current.children.values()) if (state === 'asked') return
    if (this.#options.replica(current.descriptor.address)?.isQuiet === false) return
    current.isOwed = false
    current.quiet()
  }

  #end({ address }: RegionDescriptor): void {
    if (!this.#switches.delete(address)) return
    this.#options.replica(address)?.resume(this)
  }
}
