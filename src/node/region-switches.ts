import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import type { SiteId } from '../address/identity.js'
import type { Clock } from '../io/clock.js'
import type { Notice } from '../wire/message.js'
import { Deadline, withResolvers } from './deadline.js'
import type { WaitOptions } from './deadline.js'
import type { Replica } from './replica/replica.js'
import type { Session } from './session/session.js'

export interface RegionSwitchesOptions {
  readonly clock: Clock
  readonly replica: (region: Address) => Replica | undefined
  /** Live sessions with those who may have copies of the region below this site: all but its parent. */
  readonly children: (descriptor: RegionDescriptor) => Iterable<Session>
  readonly notify: (to: Session, descriptor: RegionDescriptor, notice: Notice) => void
}

/** One region that is being brought to rest. */
interface Switch {
  readonly descriptor: RegionDescriptor
  /** At the home, whoever changes it; elsewhere, the parent that asked. */
  readonly quiet: () => void
  /** Whether the answer is still owed. */
  isOwed: boolean
  /** Undefined at the home. */
  readonly parent: SiteId | undefined
  readonly children: Map<SiteId, 'asked' | 'answered'>
}

/**
 * Brings a region to rest at all sites, so that its protocol can be changed with nothing lost, and starts it again. The home asks
 * its children, they ask theirs, and each answers when no lock is open there or below and nothing is on its way. Locks that
 * are asked for meanwhile wait at their site. Whoever begins to use the region later is asked when it first speaks. Rejected: to
 * end locks by force, as a failure does: a change of settings is no reason to lose what a program is in the middle of.
 */
export class RegionSwitches {
  readonly #options: RegionSwitchesOptions
  readonly #switches = new Map<Address, Switch>()

  constructor(options: RegionSwitchesOptions) {
    this.#options = options
  }

  /**
   * Home: resolves when the region is at rest everywhere. If that takes too long, everything goes on as it was, and it
   * throws `timeout` or `aborted`.
   */
  async suspend(descriptor: RegionDescriptor, options: WaitOptions): Promise<void> {
    const outcome = withResolvers<void>()
    const deadline = Deadline.start(
      this.#options.clock,
      'bringing the region to rest for its new protocol',
      options,
      outcome.reject,
    )
    try {
      this.#begin(descriptor, undefined, outcome.resolve)
      await outcome.promise
    } catch (error) {
      this.resume(descriptor)
      throw error
    } finally {
      deadline.stop()
    }
  }

  /** Home: all go on, under this descriptor. */
  resume(descriptor: RegionDescriptor): void {
    this.#end(descriptor)
    for (const child of this.#options.children(descriptor)) {
      this.#options.notify(child, descriptor, { kind: 'resume', descriptor })
    }
  }

  /** The parent wants the region at rest. */
  onSuspend(parent: Session, descriptor: RegionDescriptor): void {
    const answer = (): void => {
      const isIdle = this.#options.replica(descriptor.address) === undefined
      this.#options.notify(parent, descriptor, { kind: 'suspended', idle: isIdle })
    }
    const current = this.#switches.get(descriptor.address)
    if (current === undefined) this.#begin(descriptor, parent.peer.site, answer)
    else {
      current.isOwed = true
      this.#evaluate(current)
    }
  }

  onSuspended(child: SiteId, region: Address): void {
    const current = this.#switches.get(region)
    if (current?.children.get(child) !== 'asked') return
    current.children.set(child, 'answered')
    this.#evaluate(current)
  }

  /** The parent lets all go on: the replica has the new descriptor already. */
  onResume(descriptor: RegionDescriptor): void {
    this.resume(descriptor)
  }

  /** Somebody below uses the region: it is asked to stop, if it has not been, or has answered already. */
  onUse(child: Session, region: Address): void {
    const current = this.#switches.get(region)
    if (current === undefined || current.children.get(child.peer.site) === 'asked') return
    current.children.set(child.peer.site, 'asked')
    this.#options.notify(child, current.descriptor, { kind: 'suspend' })
  }

  /** The replica was opened while its region is being brought to rest. */
  onOpened(replica: Replica): void {
    const current = this.#switches.get(replica.descriptor.address)
    if (current === undefined) return
    replica.suspend(this, () => {
      this.#evaluate(current)
    })
  }

  /** A child's rights have ended, or this site's at its parent: nobody there will say `resume`. */
  onLost(peer: SiteId): void {
    for (const current of [...this.#switches.values()]) {
      if (current.parent === peer) this.resume(current.descriptor)
      else if (current.children.delete(peer)) this.#evaluate(current)
    }
  }

  #begin(descriptor: RegionDescriptor, parent: SiteId | undefined, quiet: () => void): void {
    const current: Switch = { descriptor, quiet, isOwed: true, parent, children: new Map() }
    this.#switches.set(descriptor.address, current)
    for (const child of this.#options.children(descriptor)) {
      current.children.set(child.peer.site, 'asked')
      this.#options.notify(child, descriptor, { kind: 'suspend' })
    }
    const replica = this.#options.replica(descriptor.address)
    replica?.suspend(this, () => {
      this.#evaluate(current)
    })
    this.#evaluate(current)
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
