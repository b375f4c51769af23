import assert from 'node:assert/strict'
import { test } from 'node:test'
import { disagreements, quiescentDisagreements } from '../../src/testing/directory-agreement.js'
import type { PageBelief, Right, SiteSnapshot } from '../../src/testing/directory-agreement.js'

interface Belief {
  readonly right: Right
  readonly children?: Readonly<Record<string, Right>>
  readonly version?: number
  readonly digest?: string
  readonly leaseValid?: boolean
}

const parents: Readonly<Record<string, string | undefined>> = {
  home: undefined,
  node: 'home',
  client: 'node',
  other: 'home',
}

/** Sites with what they believe of page 0 of region r: a home, two nodes under it, a client under the first. */
function sites(beliefs: Readonly<Record<string, Belief>>): SiteSnapshot[] {
  return Object.entries(beliefs).map(([site, belief]) => {
    const page: PageBelief = {
      right: belief.right,
      version: belief.version ?? 1,
      digest: belief.digest,
      children: new Map(Object.entries(belief.children ?? {})),
    }
    return {
      site,
      leaseValid: belief.leaseValid ?? true,
      regions: new Map([['r', { parent: parents[site], pages: new Map([[0, page]]) }]]),
    }
  })
}

function agreed(beliefs: Readonly<Record<string, Belief>>): void {
  assert.deepEqual(disagreements(sites(beliefs)), [])
  assert.deepEqual(quiescentDisagreements(sites(beliefs)), [])
}

test('readers everywhere agree', () => {
  agreed({
    home: { right: 'exclusive', children: { node: 'shared', other: 'shared' }, digest: 'd' },
    node: { right: 'shared', children: { client: 'shared' }, digest: 'd' },
    client: { right: 'shared', digest: 'd' },
    other: { right: 'shared', digest: 'd' },
  })
})

test('one writer, down the tree, agrees', () => {
  agreed({
    home: { right: 'exclusive', children: { node: 'exclusive' } },
    node: { right: 'exclusive', children: { client: 'exclusive' } },
    client: { right: 'exclusive' },
    other: { right: 'none' },
  })
})

test('a writer beside a writer or a reader is found, wherever they are', () => {
  const writer: Belief = { right: 'exclusive', children: { client: 'exclusive' } }
  for (const right of ['exclusive', 'shared'] as const) {
    const found = disagreements(
      sites({
        home: { right: 'exclusive', children: { node: 'exclusive', other: right } },
        node: writer,
        client: { right: 'exclusive' },
        other: { right },
      }),
    )
    assert.equal(found.length, 1)
    assert.match(
      found[0] ?? '',
      right === 'shared' ? /client may write it while other may read/ : /other may write/,
    )
  }
})

test('a home that lent a page for reading must not write it, nor one lent for writing read it', () => {
  agreed({ home: { right: 'exclusive', children: { node: 'shared' } }, node: { right: 'shared' } })
  const forgot = { home: { right: 'exclusive' }, node: { right: 'shared' } } as const
  assert.deepEqual(disagreements(sites(forgot)), [
    'r page 0: home may write it while node may read it',
    'r page 0: node holds shared, its parent home knows of none',
  ])
})

test('a lapsed lease makes a right void, until all is to be quiet', () => {
  const lapsed = {
    home: { right: 'exclusive', children: { node: 'none' } },
    node: { right: 'exclusive', leaseValid: false },
  } as const
  assert.deepEqual(disagreements(sites(lapsed)), [])
  assert.deepEqual(quiescentDisagreements(sites(lapsed)), ['node: its lease is not valid'])
})

test('a parent may believe too much while messages are on the way, and not afterwards', () => {
  const onTheWay = {
    home: { right: 'exclusive', children: { node: 'exclusive' } },
    node: { right: 'none' },
  } as const
  assert.deepEqual(disagreements(sites(onTheWay)), [])
  assert.deepEqual(quiescentDisagreements(sites(onTheWay)), [
    'r page 0: node holds none, its parent home believes exclusive',
  ])
  const gone = { home: { right: 'exclusive', children: { node: 'shared' } } } as const
  assert.deepEqual(disagreements(sites(gone)), [])
  assert.match(quiescentDisagreements(sites(gone))[0] ?? '', /believes that node holds shared/)
})

test('a parent may be silent while it recovers, and not afterwards', () => {
  const recovering = sites({ node: { right: 'shared' } })
  assert.deepEqual(disagreements(recovering), [])
  assert.match(quiescentDisagreements(recovering)[0] ?? '', /its parent home knows nothing/)
})

test('copies of one version must be the same bytes, those of others need not', () => {
  const copies = (version: number): Readonly<Record<string, Belief>> => ({
    home: { right: 'exclusive', children: { node: 'shared' }, version: 2, digest: 'new' },
    node: { right: 'shared', version, digest: 'old' },
  })
  assert.match(disagreements(sites(copies(2)))[0] ?? '', /different bytes of version 2/)
  assert.deepEqual(disagreements(sites(copies(1))), [])
  assert.deepEqual(quiescentDisagreements(sites(copies(1))), [
    'r page 0: node holds shared of version 1, the newest is 2',
  ])
})
