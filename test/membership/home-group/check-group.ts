import type { GroupBug } from '../../../src/membership/home-group/group-bug.js'
import type { Prng } from '../../../src/stdx/prng.js'
import { GroupViolation } from './group-oracle.js'
import { GroupWorld } from './group-world.js'
import { contentsOf } from './model-disk.js'

export interface GroupRun {
  readonly acknowledged: number
  readonly reigns: number
  readonly events: number
}

const healMsMax = 120_000
const restMs = 8_000
const settleMs = 5_000

/** One seed: faults for a while, then none. Throws `GroupViolation`, or what the machines assert. */
export function checkGroup(seed: number, bug?: GroupBug, say?: (line: string) => void): GroupRun {
  const world = new GroupWorld({
    seed,
    bug,
    nodes: 3 + (seed % 3),
    replicas: 2 + (Math.floor(seed / 3) % 2),
    delay: (prng) => (prng.chance(0.02) ? prng.between(50, 600) : prng.between(0.3, 6)),
    ...(say !== undefined && {
      say: (line: string) => say(`${world.time.now.toFixed(0).padStart(6)} ${line}`),
    }),
  })
  world.start()
  const { prng, time } = world
  const faultsUntil = prng.between(8_000, 25_000)
  const user: User = {
    isWriting: true,
    everyMs: prng.logarithmic(60, 3_000),
    pages: ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].slice(0, prng.int(3, 8)),
  }
  write(world, user)
  trouble(world, faultsUntil, prng.logarithmic(200, 3_000))
  time.runUntil(faultsUntil)
  say?.('(all is well from here on)')
  world.heal()
  untilWhole(world, faultsUntil + healMsMax)
  user.isWriting = false
  // Leases that could not be kept alive for a while may lapse still.
  time.runUntil(time.now + restMs)
  untilWhole(world, time.now + healMsMax)
  time.runUntil(time.now + settleMs)
  checkAlike(world)
  const before = world.oracle.acknowledgedCount
  if (!world.write(['a'])) throw new GroupViolation(`no write is taken: ${stateOf(world)}`)
  time.runUntil(time.now + settleMs)
  if (world.oracle.acknowledgedCount === before) throw new GroupViolation('a write is not acknowledged')
  checkAlike(world)
  const { acknowledgedCount, reignCount } = world.oracle
  return { acknowledged: acknowledgedCount, reigns: reignCount, events: time.count }
}

interface User {
  isWriting: boolean
  /** Between bursts, on average. */
  readonly everyMs: number
  readonly pages: readonly string[]
}

function untilWhole(world: GroupWorld, end: number): void {
  while (!isWhole(world)) {
    if (world.time.now > end) throw new GroupViolation(`not whole again: ${stateOf(world)}`)
    world.time.runUntil(world.time.now + 500)
  }
}

function isWhole(world: GroupWorld): boolean {
  const { members, replicas } = world.coordinator.record
  const nodes = world.hosts.map(({ node }) => node)
  if (!members.every((node) => nodes.includes(node))) return false
  return world.serving !== undefined && members.length === Math.min(replicas, world.hosts.length)
}

function stateOf(world: GroupWorld): string {
  const hosts = world.hosts.map(
    (host) => `${host.node}${host.isServing ? ' serves' : host.isPrimary ? ' leads' : ''}`,
  )
  return `${JSON.stringify(world.coordinator.record)}; ${hosts.join(', ')}`
}

/** All members have the same, in memory and on disk. */
function checkAlike(world: GroupWorld): void {
  const { members } = world.coordinator.record
  const contents = world.hosts
    .filter(({ node }) => members.includes(node))
    .flatMap(({ disk }) => [contentsOf(disk.pages), contentsOf(disk.durable)])
  if (contents.length < 2 * members.length || new Set(contents).size > 1) {
    throw new GroupViolation(`members have ${contents.join(' | ')}; ${stateOf(world)}`)
  }
}

/** In bursts, so that some commits are on their way, and others not followed by any. */
function write(world: GroupWorld, user: User): void {
  const { prng, time } = world
  time.after(prng.exponential(user.everyMs), () => {
    if (!user.isWriting) return
    for (let left = prng.int(1, 4); left > 0; left--) {
      time.after(prng.between(0, 20), () => {
        const pages = prng.shuffle(user.pages).slice(0, prng.int(1, 3))
        const removed = pages.length > 1 && prng.chance(0.2) ? pages.splice(0, 1) : []
        world.write(pages, removed)
      })
    }
    write(world, user)
  })
}

function trouble(world: GroupWorld, until: number, everyMs: number): void {
  const { prng, time } = world
  time.after(prng.exponential(everyMs), () => {
    if (time.now >= until) return
    someTrouble(world, prng)
    trouble(world, until, everyMs)
  })
}

/** Half of it happens to the primary. */
function someTrouble(world: GroupWorld, prng: Prng): void {
  const { network, hosts, time } = world
  const count = hosts.length
  const leader = hosts.findIndex((host) => host.isPrimary)
  const at = leader >= 0 && prng.chance(0.5) ? leader : prng.below(count)
  const other = (at + prng.int(1, count - 1)) % count
  const [a, b] = [hosts[at], hosts[other]]
  if (a === undefined || b === undefined) return
  const block = (way: string): void => {
    network.blocked.add(way)
    time.after(prng.logarithmic(100, 10_000), () => network.blocked.delete(way))
  }
  const die = (slot: number): void => {
    world.crash(slot)
    time.after(prng.logarithmic(50, 12_000), () => world.restart(slot))
  }
  switch (prng.int(0, 9)) {
    case 0:
      die(at)
      return
    case 1:
      for (let slot = 0; slot < count; slot++) if (prng.chance(0.6)) die(slot)
      return
    case 2:
      world.stop(at, prng.logarithmic(50, 15_000))
      return
    case 3:
      block(prng.chance(0.5) ? `${a.node}>${b.node}` : `${b.node}>${a.node}`)
      return
    case 4:
      block(`${a.node}>${b.node}`)
      block(`${b.node}>${a.node}`)
      return
    case 5:
      network.cut(a.node, b.node)
      return
    case 6:
      world.cutFromCoordinator(at, prng.logarithmic(500, 15_000))
      return
    case 7:
      if (prng.chance(0.7)) world.serving?.refuse(prng.int(1, 3))
      else
        for (let slot = 0; slot < count; slot++) world.cutFromCoordinator(slot, prng.logarithmic(200, 8_000))
      return
    case 8:
      // It may be followed by another one without hearing of it, and goes on talking to the others.
      for (let ms = prng.logarithmic(4_000, 16_000); ms > 0; ms -= 1_000) {
        world.cutFromCoordinator(at, ms)
        time.after(ms, () => network.cut(a.node, b.node))
      }
      return
    default:
      if (world.mayLose(at)) world.replace(at)
  }
}
