import type { NodeId } from '../../address/identity.js'
import type { BackupLink } from './backup-link.js'

/** A node with which the primary of a group has a session, or which it needs. */
export class Peer {
  readonly node: NodeId
  link: BackupLink | undefined
  /** All commits up to this one are on its disk, and what was at the primary before the reign; -1: not even that. */
  hasTo = -1
  #hasSession = false
  #owes = false
  #hasAlarm = false
  /** Since the alarm was set something was heard, or nothing was owed. */
  #isExcused = false
  #isSilent = false

  constructor(node: NodeId) {
    this.node = node
  }

  get hasSession(): boolean {
    return this.#hasSession
  }

  /** It has owed something for the time of an alarm, and nothing was heard of it in that time, nor since. */
  get isSilent(): boolean {
    return this.#isSilent
  }

  onSession(): void {
    this.#hasSession = true
    this.#isSilent = false
  }

  onLost(): void {
    this.#hasSession = false
    this.link = undefined
  }

  /** A sign of life. */
  onSign(): void {
    this.#isSilent = false
    this.#isExcused = true
  }

  onAlarm(): void {
    this.#hasAlarm = false
    this.#isSilent = this.#owes && !this.#isExcused
  }

  /** It is not needed any more. */
  letGo(): void {
    this.link = undefined
    this.#isSilent = false
  }

  /**
   * Whether an alarm is to be set, where it owes something or not. Alarms are never taken back, as there would be one for each commit: they go off
   * in vain.
   */
  watch(owes: boolean): boolean {
    if (owes && !this.#owes) this.#isExcused = true
    this.#owes = owes
    if (!owes || this.#hasAlarm || this.#isSilent) return false
    this.#hasAlarm = true
    this.#isExcused = false
    return true
  }
}
