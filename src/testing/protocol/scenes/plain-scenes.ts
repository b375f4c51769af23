import { readCell, writeCell } from '../cells.js'
import { demand } from '../contract-violation.js'
import { homeName } from '../world-sites.js'
import { scene } from './stage.js'
import type { Scene } from './stage.js'

/** Nothing fails. */
export const plainScenes: readonly Scene[] = [
  scene({
    name: 'a lone site reads what it wrote',
    play: (stage) => {
      for (const site of ['A', homeName]) {
        const page = site === 'A' ? 0 : 1
        stage.write(site, page, 1, 7)
        demand(stage.read(site, page, 1) === 7, `${site} sees what it wrote`)
        stage.write(site, page, 1, 8)
        demand(stage.read(site, page, 1) === 8, `${site} sees what it wrote last`)
      }
    },
  }),
  scene({
    name: 'a section sees what it writes itself, and what it does not write stays',
    play: (stage) => {
      stage.write('A', 0, 0, 3)
      const section = stage.open('A', 'write', 0)
      writeCell(section, 0, 1, 5)
      demand(readCell(section, 0, 1) === 5 && readCell(section, 0, 0) === 3, 'a section sees its own writes')
      stage.close(section)
      stage.allSee(0, 0, 3)
      stage.allSee(0, 1, 5)
    },
  }),
  scene({
    name: 'pages that were never written are zeros, everywhere',
    play: (stage) => {
      for (const { name } of stage.world.sites) {
        const section = stage.open(name, 'read', 0, stage.world.pages)
        for (const page of section.pages()) {
          const bytes = section.read(page * stage.world.pageSize, stage.world.pageSize)
          demand(
            bytes.every((byte) => byte === 0),
            `page ${page} is zeros at ${name}`,
          )
        }
        stage.close(section)
      }
    },
  }),
  scene({
    name: 'what one site wrote every other sees, when that is claimed',
    play: (stage) => {
      const names = stage.world.sites.map(({ name }) => name)
      for (const [index, name] of names.entries()) {
        stage.write(name, 2, 0, index + 1)
        stage.allSee(2, 0, index + 1)
      }
    },
  }),
  scene({
    name: 'a lock over several pages sees and writes them all',
    play: (stage) => {
      const { world } = stage
      const section = stage.open('A', 'write', 0, world.pages)
      for (const page of section.pages()) writeCell(section, page, 0, page + 1)
      stage.close(section)
      for (const page of section.pages()) stage.allSee(page, 0, page + 1)
    },
  }),
  scene({
    name: 'every mode of lock is granted at every site, and a lock under which nothing was written may end',
    play: (stage) => {
      for (const { name } of stage.world.sites) {
        for (const mode of ['read', 'write', 'write-shared'] as const)
          stage.close(stage.open(name, mode, 1, 2))
      }
      stage.allSee(1, 0, 0)
    },
  }),
  scene({
    name: 'what is written under a lock that is discarded never happened',
    play: (stage) => {
      stage.write('A', 0, 0, 1)
      const section = stage.open('B', 'write', 0)
      writeCell(section, 0, 0, 2)
      stage.world.discard(section)
      stage.world.settle()
      stage.allSee(0, 0, 1)
      stage.write('C', 0, 0, 3)
      stage.allSee(0, 0, 3)
    },
  }),
  scene({
    name: 'when unlock resolves, the bytes are on stable storage',
    isFor: ({ unlockMeans }) => unlockMeans === 'durable',
    play: (stage) => {
      const { world } = stage
      for (const site of ['A', homeName]) {
        const section = stage.open(site, 'write', 0)
        writeCell(section, 0, 0, site === 'A' ? 4 : 5)
        world.unlock(section)
        for (let round = 0; round < 20; round++) {
          world.deliverAll()
          world.endLoad()
        }
        const isStored = world.storage.waiting === 0
        demand(
          isStored || section.state === 'ending',
          `${section.name} is ${section.state} before it is durable`,
        )
        stage.until('the unlock resolves', () => section.isOver)
        demand(
          world.storage.bytesOf(section.range.first)[0] === (site === 'A' ? 4 : 5),
          'the bytes are stored',
        )
      }
    },
  }),
  scene({
    name: 'a lock that is had before costs no message, in the modes that are claimed',
    isFor: ({ hits }) => hits !== undefined && hits.length > 0,
    play: (stage) => {
      const { world } = stage
      for (const mode of stage.claims.hits ?? []) {
        stage.close(stage.open('A', mode, 1))
        const before = world.sent.length
        const again = world.lock('A', mode, 1)
        demand(again.state === 'open' && again.lock === undefined, `a second lock to ${mode} is a hit`)
        world.unlock(again)
        world.settle()
        demand(world.sent.length === before, `a second lock to ${mode} costs no message`)
      }
    },
  }),
  scene({
    name: 'hundreds of sections leave nothing behind that grows',
    play: (stage) => {
      for (let round = 0; round < 250; round++)
        stage.write(round % 2 === 0 ? 'A' : 'B', 0, 0, (round % 250) + 1)
      stage.allSee(0, 0, 250)
      for (const { name, keptParcels } of stage.world.sites) {
        demand(keptParcels <= 64, `${name} keeps ${keptParcels} parcels after 250 writes of one page`)
      }
    },
  }),
]
