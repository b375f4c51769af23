import { plainTerms } from '../../../address/lock-terms.js'
import { writeCell } from '../cells.js'
import { demand } from '../contract-violation.js'
import { homeName } from '../world-sites.js'
import { scene } from './stage.js'
import type { Scene, Stage } from './stage.js'

/** Crashes, lost sessions, full disks, memory that is wanted back, and a change of protocol. */
export const failureScenes: readonly Scene[] = [
  scene({
    name: 'the locks of a child that died do not block others for ever',
    play: (stage) => {
      const { world } = stage
      stage.write('A', 0, 0, 1)
      const held = stage.open('A', 'write', 0)
      const waiting = world.lock('A', 'write', 0)
      const other = world.lock('B', 'write', 0)
      world.settle()
      writeCell(held, 0, 0, 9)
      world.crash('A')
      world.settle()
      world.homeNotices('A')
      demand(waiting.isOver && held.isOver, 'what a dead site asked for is over')
      stage.until('the lock is granted to another', () => other.state === 'open')
      writeCell(other, 0, 1, 2)
      stage.close(other)
      world.connect('A')
      stage.allSee(0, 1, 2)
      demand(stage.read('C', 0, 0) !== 9, 'what was not unlocked never happened')
    },
  }),
  scene({
    name: 'the locks of a child that cannot be reached do not block others for ever',
    play: (stage) => {
      const { world } = stage
      const held = stage.open('A', 'write', 0)
      const other = world.lock('B', 'write', 0)
      world.settle()
      world.cut('A')
      world.settle()
      world.homeNotices('A')
      stage.until('the lock is granted to another', () => other.state === 'open')
      writeCell(other, 0, 1, 2)
      stage.close(other)
      world.childNotices('A')
      if (held.state === 'open') world.unlock(held)
      world.connect('A')
      stage.until('the section at A is over', () => held.isOver)
      stage.allSee(0, 1, 2)
    },
  }),
  scene({
    name: 'a lock that was asked for while the home cannot be reached is answered when it can',
    play: (stage) => {
      const { world } = stage
      stage.write('A', 0, 0, 1)
      world.cut('A')
      world.childNotices('A')
      const alone = world.lock('A', 'write', 0)
      world.settleFor(5000)
      if (!stage.isFree('write')) demand(alone.state === 'waiting', 'a lock that needs a lease waits for one')
      world.homeNotices('A')
      world.connect('A')
      stage.until('the lock is granted', () => alone.state === 'open')
      writeCell(alone, 0, 0, 2)
      stage.close(alone)
      stage.allSee(0, 0, 2)
    },
  }),
  scene({
    name: 'what was asked just before the session was lost is answered over the next',
    play: (stage) => {
      const { world } = stage
      stage.write('B', 0, 0, 1)
      const waiting = world.lock('A', 'write', 0)
      world.deliver('A', homeName)
      world.lose('A')
      world.connect('A')
      stage.until('the lock is granted', () => waiting.state === 'open')
      stage.close(waiting)
      stage.allSee(0, 0, 1)
    },
  }),
  scene({
    name: 'an unlock whose answer is lost with the session ends, well or unknown, and others go on',
    play: (stage) => {
      const { world } = stage
      for (const delivered of [0, 1, 2]) {
        const section = stage.open('A', 'write', 0)
        writeCell(section, 0, 0, delivered + 1)
        world.unlock(section)
        for (let count = 0; count < delivered; count++) world.deliver('A', homeName)
        world.lose('A')
        stage.write('B', 0, 1, delivered + 1)
        world.connect('A')
        stage.until('the unlock is over', () => section.isOver)
        stage.allSee(0, 1, delivered + 1)
        stage.write('A', 0, 2, delivered + 1)
        stage.allSee(0, 2, delivered + 1)
      }
    },
  }),
  scene({
    name: 'a child without a lease uses no right that needs one',
    play: (stage) => {
      const { world } = stage
      stage.close(stage.open('A', 'write', 0))
      world.pauseLease('A')
      const section = world.lock('A', 'write', 0)
      world.settle()
      if (!stage.isFree('write')) demand(section.state !== 'open', 'no lock begins without the lease')
      world.renewLease('A')
      stage.until('the lock begins', () => section.state === 'open')
      stage.close(section)
    },
  }),
  scene({
    name: 'writes go on without the home, and come to it later',
    isFor: ({ writes }) => writes === 'local',
    play: (stage) => {
      const { world } = stage
      if (!stage.isFree('write')) return
      stage.write('A', 0, 0, 1)
      stage.allSee(0, 0, 1)
      world.lose('A')
      stage.write('A', 0, 0, 2)
      demand(stage.read('A', 0, 0) === 2, 'the site sees what it wrote')
      // Where whole pages are written, one of two who write the same has to lose.
      const other = stage.protocol.writes === 'pages' ? 1 : 0
      stage.write('B', other, 1, 3)
      world.connect('A')
      stage.allSee(0, 0, 2)
      stage.allSee(other, 1, 3)
    },
  }),
  scene({
    name: 'what was unlocked outlives the home',
    play: (stage) => {
      const { world } = stage
      stage.write('A', 0, 0, 1)
      stage.write('B', 1, 0, 2)
      if (stage.claims.unlockMeans === 'accepted') {
        stage.allSee(0, 0, 1)
        stage.allSee(1, 0, 2)
      }
      world.crashHome()
      stage.recover()
      stage.allSee(0, 0, 1)
      stage.allSee(1, 0, 2)
      for (const { name } of world.sites) stage.write(name, 0, 1, 3)
      stage.allSee(0, 1, 3)
    },
  }),
  scene({
    name: 'after the home has died, nobody writes what another may still be writing',
    isFor: ({ writes }) => writes !== 'local',
    play: (stage) => {
      const { world } = stage
      if (stage.isFree('write')) return
      const held = stage.open('A', 'write', 0)
      const inUse = (): boolean => held.state === 'open' && world.site('A').mayUse('write', plainTerms)
      world.crashHome()
      world.childNotices('B')
      world.connect('B')
      const others = [world.lock(homeName, 'write', 0), world.lock('B', 'write', 0)]
      for (let round = 0; round < 20; round++) {
        world.settleFor(50)
        const early = others.find(({ state }) => state === 'open')
        demand(
          !inUse() || early === undefined,
          `${early?.name ?? ''} writes beside ${held.name}, of before the crash`,
        )
      }
      world.endGrace()
      stage.until('the others write, one after the other', () => {
        for (const section of others) if (section.state === 'open') world.unlock(section)
        return others.every(({ isOver }) => isOver)
      })
      stage.recover()
      stage.write('A', 0, 0, 4)
      stage.allSee(0, 0, 4)
    },
  }),
  scene({
    name: 'locks that waited when the home died are answered, though one child never returns',
    play: (stage) => {
      const { world } = stage
      const held = stage.open('A', 'write', 0)
      const waiting = world.lock('B', 'write', 0)
      world.settle()
      world.crashHome()
      stage.recover(['A'])
      stage.until('the lock is granted', () => waiting.state === 'open')
      writeCell(waiting, 0, 0, 6)
      stage.close(waiting)
      world.connect('A')
      if (held.state === 'open') world.discard(held)
      stage.allSee(0, 0, 6)
    },
  }),
  scene({
    name: 'a write that the disk has no room for fails, and never happened',
    isFor: ({ unlockMeans }) => unlockMeans === 'durable',
    play: (stage) => {
      stage.write('A', 0, 0, 1)
      for (const site of ['A', homeName, 'B']) {
        const section = stage.open(site, 'write', 0)
        writeCell(section, 0, 0, 2)
        fillDisk(stage, section)
        demand(
          section.state === 'failed',
          `the unlock of ${section.name} is ${section.state}, and the disk is full`,
        )
        stage.allSee(0, 0, 1)
      }
      stage.write('C', 0, 0, 3)
      stage.allSee(0, 0, 3)
    },
  }),
  scene({
    name: 'a write that was accepted is stored when the disk has room again',
    isFor: ({ unlockMeans }) => unlockMeans === 'accepted',
    play: (stage) => {
      stage.write('B', 0, 0, 1)
      const section = stage.open('A', 'write', 0)
      writeCell(section, 0, 0, 2)
      fillDisk(stage, section)
      stage.allSee(0, 0, 2)
      stage.until('it is stored', () => stage.world.storage.bytesOf(section.range.first)[0] === 2)
    },
  }),
  scene({
    name: 'a page that cannot be read from disk is refused, and others are not',
    play: (stage) => {
      const { world } = stage
      const section = world.lock('A', 'read', 0)
      for (let round = 0; round < 10 && !section.isOver && section.state !== 'open'; round++) {
        world.deliverAll()
        if (world.home.waitingLoads > 0) world.endLoad('failing')
        world.tick(10)
      }
      stage.until('the lock is answered', () => section.isOver || section.state === 'open')
      if (section.state === 'open') stage.close(section)
      stage.write('B', 1, 0, 1)
      stage.allSee(1, 0, 1)
      stage.write('A', 0, 0, 2)
      stage.allSee(0, 0, 2)
    },
  }),
  scene({
    name: 'evicting loses nothing, and is allowed where nobody uses the page',
    play: (stage) => {
      const { world } = stage
      stage.write('A', 0, 0, 1)
      stage.allSee(0, 0, 1)
      for (const site of ['A', 'B', 'C', homeName]) {
        stage.until(`${site} lets go of the page`, () => world.evict(site, 0))
        world.settle()
        stage.sees(site, 0, 0, 1)
      }
      stage.write('B', 0, 0, 2)
      for (const site of [homeName, 'C', 'B', 'A']) world.evict(site, 0)
      stage.allSee(0, 0, 2)
    },
  }),
  scene({
    name: 'evicting takes nothing away that is on its way',
    play: (stage) => {
      const { world } = stage
      const section = stage.open('A', 'write', 0)
      writeCell(section, 0, 0, 1)
      const other = world.lock('B', 'read', 0)
      world.unlock(section)
      for (let round = 0; round < 8; round++) {
        for (const site of ['A', 'B', homeName]) world.evict(site, 0)
        world.deliver('A', homeName)
        if (round % 2 === 1) world.endCommit()
        world.deliver(homeName, 'B')
        world.endLoad()
      }
      stage.until('both are answered', () => section.isOver && other.state === 'open')
      demand(section.state === 'done', 'the write is done')
      stage.close(other)
      stage.allSee(0, 0, 1)
    },
  }),
  scene({
    name: 'quiesce brings all to rest on stable storage, and resume goes on',
    play: (stage) => {
      const { world } = stage
      for (let round = 1; round <= 2; round++) {
        stage.write('B', 1, 0, round)
        const section = stage.open('A', 'write', 0)
        writeCell(section, 0, 0, round)
        world.unlock(section)
        world.quiesce()
        stage.until('all are quiet', () => world.isQuiet())
        demand(
          section.state === 'done',
          `the unlock of ${section.name} is ${section.state} after all came to rest`,
        )
        const stored = [section.range.first, nextPage(section.range.first)].map(
          (page) => world.storage.bytesOf(page)[0],
        )
        demand(
          stored.every((value) => value === round),
          'all that was written is on stable storage',
        )
        world.resume()
        stage.allSee(0, 0, round)
        stage.allSee(1, 0, round)
      }
    },
  }),
  scene({
    name: 'a child that dies does not keep the others from coming to rest',
    play: (stage) => {
      const { world } = stage
      stage.write('A', 0, 0, 1)
      stage.allSee(0, 0, 1)
      world.quiesce()
      world.crash('A')
      world.homeNotices('A')
      stage.until('all are quiet', () => world.isQuiet())
      world.connect('A')
      world.resume()
      stage.write('A', 0, 0, 2)
      stage.allSee(0, 0, 2)
    },
  }),
]

/** The section ends, and every commit of a while fails. */
function fillDisk<M>({ world }: Stage<M>, section: Parameters<Stage<M>['close']>[0]): void {
  world.unlock(section)
  for (let round = 0; round < 5; round++) {
    world.deliverAll()
    world.endLoad()
    world.failCommit()
  }
  world.settle()
}

function nextPage<P extends number>(page: P): P {
  return (page + 1) as P
}
