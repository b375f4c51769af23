import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Address } from '../../src/address/address.js'
import type { PageIndex, Version } from '../../src/address/page.js'
import { GroupLog } from '../../src/node/group/group-log.js'
import type { GroupStep } from '../../src/node/group/group-step.js'
import type { HomeWrite } from '../../src/node/replica/home-backing.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { spaceId } from '../../src/store/space.js'
import type { CommitDone } from '../../src/store/store.js'

const pageBytes = 4096

function place(region: number) {
  return { address: BigInt(region) as Address, space: spaceId(region) }
}

function write(page: number, version: number): HomeWrite {
  return {
    page: page as PageIndex,
    version: version as Version,
    by: undefined,
    bytes: new Uint8Array(pageBytes).fill(version),
  }
}

/** What a group was told to make durable, and what it says of it. */
class Leading {
  isFull = false
  isOver = false
  readonly commits: { readonly steps: readonly GroupStep[]; readonly done: CommitDone }[] = []

  submit(steps: readonly GroupStep[], _spaces: unknown, _own: unknown, done: CommitDone): void {
    this.commits.push({ steps, done })
  }

  /** Of each commit, region and page and version of all that was written. */
  get outline(): string[] {
    return this.commits.map(({ steps }) =>
      steps
        .flatMap(({ address, pages, isEnd, frees }) => [
          ...(isEnd ? [`end ${address}`] : []),
          ...frees.map(({ first }) => `free ${address}/${first}`),
          ...pages.map(({ page, version }) => `${address}/${page}v${version}`),
        ])
        .join(' '),
    )
  }
}

describe('the log of a home group', () => {
  it('makes one commit of what is written in one turn, with the newest of each page', async () => {
    const led = new Leading()
    const log = new GroupLog(led)
    const ends: string[] = []
    const note = (what: string) => (failure: KhazanaError | undefined) => {
      ends.push(`${what} ${failure?.code ?? 'durable'}`)
    }
    log.submit(place(1), { pages: [write(0, 1), write(1, 1)] }, note('a'))
    log.submit(place(2), { pages: [write(0, 1)] }, note('b'))
    log.submit(place(1), { pages: [write(0, 2)] }, note('c'))
    await Promise.resolve()
    log.submit(place(1), { pages: [write(0, 3)] }, note('d'))
    await Promise.resolve()
    assert.deepEqual(led.outline, ['1/0v2 1/1v1 2/0v1', '1/0v3'])
    assert.equal(ends.length, 0)
    led.commits[0]?.done(undefined)
    assert.deepEqual(ends, ['a durable', 'b durable', 'c durable'])
    led.commits[1]?.done(new KhazanaError('outcome-unknown', 'lost'))
    assert.equal(ends.at(-1), 'd outcome-unknown')
  })

  it('leaves alone, and in its place, what is more than pages', async () => {
    const led = new Leading()
    const log = new GroupLog(led)
    const done = (): void => undefined
    log.submit(place(1), { pages: [write(0, 1)] }, done)
    log.submit(place(1), { pages: [write(1, 1)] }, done)
    log.submit(place(1), { frees: [{ first: 0 as PageIndex, count: 1 }] }, done)
    log.submit(place(1), { pages: [write(0, 2)] }, done)
    log.submit(place(1), { record: 'ended' }, done)
    log.submit(place(2), { pages: [write(0, 1)], own: () => ({ deletes: ['key'] }) }, done)
    log.submit(place(2), { pages: [write(1, 1)] }, done)
    log.submit(place(2), { pages: [write(2, 1)] }, done)
    await Promise.resolve()
    assert.deepEqual(led.outline, ['1/0v1 1/1v1', 'free 1/0', '1/0v2', 'end 1', '2/0v1', '2/1v1 2/2v1'])
  })

  it('bounds what goes together, takes the bytes as they are, and waits where the group is full', async () => {
    const led = new Leading()
    led.isFull = true
    const log = new GroupLog(led)
    const many = Array.from({ length: 600 }, (_, page) => write(page, 1))
    for (const page of many) log.submit(place(1), { pages: [page] }, () => undefined)
    await Promise.resolve()
    assert.equal(led.commits.length, 0)
    for (const { bytes } of many) bytes.fill(9)
    led.isFull = false
    log.drain()
    const counts = led.commits.map(({ steps }) => steps.flatMap(({ pages }) => pages).length)
    assert.deepEqual(counts, [256, 256, 88])
    const written = led.commits.flatMap(({ steps }) => steps.flatMap(({ pages }) => pages))
    assert.ok(written.every(({ bytes }) => bytes.every((byte) => byte === 1)))
  })

  it('says at once of what waits that it is not served, where the group is over', async () => {
    const led = new Leading()
    led.isFull = true
    const log = new GroupLog(led)
    let commits = 0
    log.submit(place(1), { pages: [write(0, 1)] }, () => undefined)
    await Promise.resolve()
    led.isOver = true
    led.submit = () => {
      commits += 1
    }
    log.drain()
    assert.equal(commits, 1)
  })
})
