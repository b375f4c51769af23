import { demand } from './contract-violation.js'

/** A site with a clock and an alarm of its own. */
interface Ringing {
  readonly name: string
  /** On its own clock, as `alarmAt`. Milliseconds. */
  readonly now: number
  /** Infinity where none is set. */
  readonly alarmAt: number
  ring(): void
}

/** Without it a manager that rings itself again and again would go unnoticed. */
const alarmsAtOnceMax = 1000
/** What rounding may do to a time on the clock of a site: alarms that are nearer have come. */
const clockGrainMs = 1e-6

/** The true time of a world, which only its caller moves. */
export class WorldClock {
  /** Milliseconds since the world began. */
  now = 0

  /** Time passes; alarms ring when theirs has come. `onRing` hears of each just before. */
  tick(ms: number, sites: readonly Ringing[], onRing: (site: Ringing) => void): void {
    const end = this.now + ms
    let rings = 0
    for (;;) {
      const site = this.#nextAlarm(end, sites)
      if (site === undefined) break
      const at = this.now + (site.alarmAt - site.now)
      rings = at <= this.now ? rings + 1 : 0
      demand(rings <= alarmsAtOnceMax, `${site.name} sets alarms without end, and time does not pass`)
      this.now = Math.max(this.now, at)
      onRing(site)
      site.ring()
    }
    this.now = end
  }

  #nextAlarm(until: number, sites: readonly Ringing[]): Ringing | undefined {
    let first: Ringing | undefined
    let least = Infinity
    for (const site of sites) {
      const inMs = site.alarmAt - site.now
      if (inMs > until - this.now + clockGrainMs || inMs >= least) continue
      first = site
      least = inMs
    }
    return first
  }

  /** When the next alarm rings, in milliseconds of true time; Infinity where none is set. */
  nextAlarmAt(sites: readonly Ringing[]): number {
    return this.now + Math.max(0, Math.min(...sites.map((site) => site.alarmAt - site.now)))
  }

  /** Whether an alarm has come that has not rung. */
  isAlarmDue(sites: readonly Ringing[]): boolean {
    return this.nextAlarmAt(sites) <= this.now + clockGrainMs
  }
}
