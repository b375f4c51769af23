import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CmMessage } from '../../src/consistency/contract.js'
import { acquirePagesMax } from '../../src/consistency/crew/outbox.js'
import { CrewScript } from './crew-script.js'
import type { Section } from './crew-section.js'

const tree = [
  { name: 'H' },
  { name: 'A', parent: 'H' },
  { name: 'B', parent: 'H' },
  { name: 'C', parent: 'H' },
  { name: 'k', parent: 'A' },
]

/** Locks, writes and unlocks, to the end. */
function write(script: CrewScript, site: string, first: number, count = 1): void {
  const section = script.lock(site, 'write', first, count)
  script.finish()
  script.unlock(section)
  script.finish()
  assert.equal(section.state, 'done')
}

function count(messages: readonly CmMessage[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { kind } of messages) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

/** What was sent since the last call. */
function sentBy(script: CrewScript, act: () => void): Record<string, number> {
  const before = script.sent.length
  act()
  return count(script.sent.slice(before))
}

test('two locks over many pages that overlap, from two sites, both come to be, in either order of arrival', () => {
  for (const order of [
    ['A', 'B'],
    ['B', 'A'],
  ]) {
    const script = new CrewScript(tree)
    const locks = [script.lock('A', 'write', 0, 3), script.lock('B', 'write', 1, 3)]
    for (const name of order) script.arrive(name, 'H')
    script.finish()
    const first = locks.filter(({ state }) => state === 'open')
    assert.equal(first.length, 1, 'one of them has all its pages')
    for (const section of first) script.unlock(section)
    script.finish()
    for (const section of locks) if (section.state === 'open') script.unlock(section)
    script.finish()
    assert.deepEqual(
      locks.map(({ state }) => state),
      ['done', 'done'],
    )
  }
})

test('a lock that waits at a page holds the lower ones, and none above it', () => {
  const script = new CrewScript(tree)
  const middle = script.lock('B', 'write', 1)
  script.finish()
  const whole = script.lock('A', 'write', 0, 3)
  script.finish()
  assert.equal(whole.state, 'waiting')
  const above = script.lock('C', 'write', 2)
  script.finish()
  assert.equal(above.state, 'open', 'the page above goes where it is wanted')
  const below = script.lock('C', 'write', 0)
  script.finish()
  assert.equal(below.state, 'waiting', 'the page below is held')
  for (const section of [above, middle, whole, below]) {
    script.unlock(section)
    script.finish()
  }
  assert.equal(below.state, 'done')
})

test('requests for a page are served first come, first served, whoever asks', () => {
  const script = new CrewScript(tree)
  const holder = script.lock('H', 'write', 0)
  const waiting: Section[] = []
  for (const [name, mode] of [
    ['B', 'write'],
    ['C', 'read'],
    ['A', 'write'],
    ['H', 'read'],
    ['B', 'write'],
  ] as const) {
    waiting.push(script.lock(name, mode, 0))
    script.run()
  }
  script.unlock(holder)
  script.finish()
  // The last asks where B still holds the token of the first; being recalled already, it goes to the back.
  for (const section of waiting) {
    assert.equal(section.state, 'open', `${section.name} is next`)
    const others = waiting.filter(({ state }) => state === 'open')
    assert.equal(others.length, 1, 'and alone')
    script.unlock(section)
    script.finish()
  }
})

test('readers that come one after the other share the page', () => {
  const script = new CrewScript(tree)
  const readers = ['A', 'B', 'C', 'k', 'H'].map((name) => script.lock(name, 'read', 0))
  script.finish()
  assert(readers.every(({ state }) => state === 'open'))
})

test('a site that is recalled takes no new lock, though it still has the right', () => {
  const script = new CrewScript(tree)
  write(script, 'A', 0)
  const held = script.lock('A', 'read', 0)
  const other = script.lock('B', 'write', 0)
  script.run()
  const late = script.lock('A', 'read', 0)
  assert.equal(late.state, 'waiting')
  script.unlock(held)
  script.finish()
  assert.equal(other.state, 'open')
  assert.equal(late.state, 'waiting')
  script.unlock(other)
  script.finish()
  assert.equal(late.state, 'open')
})

test('a token stays after the lock: the next lock there costs no message', () => {
  const script = new CrewScript(tree)
  write(script, 'A', 0, 3)
  const sent = sentBy(script, () => {
    for (let round = 0; round < 10; round++) {
      const section = script.lock('A', 'read', 0, 3)
      script.unlock(section)
    }
  })
  assert.deepEqual(sent, {})
})

test('a question asks for a bounded number of pages, one answer each', () => {
  const script = new CrewScript(tree)
  const pages = 1000
  const section = script.lock('A', 'write', 0, pages)
  script.finish()
  assert.equal(section.state, 'open')
  const chunks = Math.ceil(pages / acquirePagesMax)
  assert.deepEqual(count(script.sent), { acquire: chunks, grant: chunks })
  for (const message of script.sent) {
    const length =
      message.kind === 'acquire' ? message.range.count : message.kind === 'grant' ? message.pages.length : 0
    assert(length <= acquirePagesMax)
  }
})

test('a lock over pages that another node has costs messages by the chunk, not by the page', () => {
  const script = new CrewScript(tree)
  write(script, 'B', 0, 1000)
  const sent = sentBy(script, () => {
    const section = script.lock('A', 'write', 0, 1000)
    script.finish()
    assert.equal(section.state, 'open')
  })
  const chunks = Math.ceil(1000 / acquirePagesMax)
  assert.deepEqual(sent, { acquire: chunks, recall: chunks, yield: chunks, grant: chunks })
})

test('a section over many pages becomes durable by one commit', () => {
  const script = new CrewScript(tree)
  const section = script.lock('A', 'write', 0, 100)
  script.finish()
  const sent = sentBy(script, () => {
    script.unlock(section)
    script.finish()
  })
  assert.deepEqual(sent, { commit: 1, committed: 1 })
})

test('bytes travel only to who has not got them', () => {
  const script = new CrewScript(tree)
  write(script, 'A', 0)
  const reader = script.lock('B', 'read', 0)
  script.finish()
  script.unlock(reader)
  const writer = script.lock('B', 'write', 0)
  script.finish()
  assert.equal(writer.state, 'open')
  const [last] = script.sent.filter((message) => message.kind === 'grant').slice(-1)
  assert.deepEqual(last?.kind === 'grant' ? last.pages.map(({ hasBytes }) => hasBytes) : [], [false])
})

test('a reader of bytes that are not durable yet ends only when they are', () => {
  const script = new CrewScript(tree)
  const writer = script.lock('A', 'write', 0)
  script.finish()
  script.unlock(writer)
  const reader = script.lock('A', 'read', 0)
  assert.equal(reader.state, 'open', 'the site itself goes on at once')
  script.unlock(reader)
  const outside = script.lock('B', 'read', 0)
  script.run()
  assert.deepEqual([writer.state, reader.state, outside.state], ['ending', 'ending', 'waiting'])
  script.durable()
  script.finish()
  assert.deepEqual([writer.state, reader.state, outside.state], ['done', 'done', 'open'])
})

test('a lock that is given up leaves nothing behind, wherever its question has got to', () => {
  for (const delivered of [0, 1, 2, 3]) {
    const script = new CrewScript(tree)
    write(script, 'B', 0)
    const section = script.lock('A', 'write', 0)
    const steps = [
      () => script.arrive('A', 'H'),
      () => script.arrive('H', 'B'),
      () => script.arrive('B', 'A'),
    ]
    for (const step of steps.slice(0, delivered)) step()
    if (section.state === 'waiting') script.cancel(section)
    else script.unlock(section)
    script.finish()
    for (const name of ['C', 'A', 'B']) write(script, name, 0)
  }
})

test('what a dead site had and wanted is free at once for the others', () => {
  const script = new CrewScript(tree)
  write(script, 'A', 0)
  const lost = script.lock('A', 'write', 0)
  const other = script.lock('B', 'write', 0)
  script.run()
  assert.equal(other.state, 'waiting')
  script.happens('A dies', (network) => {
    network.crash(network.site('A'))
    network.tellParent(script.link('A'))
  })
  script.finish()
  assert.equal(lost.state, 'failed')
  assert.equal(other.state, 'open')
})
