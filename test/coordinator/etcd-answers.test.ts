import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LeaseId, Revision } from '../../src/coordinator/coordinator.js'
import { EtcdAccess } from '../../src/coordinator/etcd/etcd-access.js'
import { StoreCoordinator } from '../../src/coordinator/store-coordinator.js'
import { nodeClock } from '../../src/io/node/clock.js'
import { nodeHttp } from '../../src/io/node/http.js'
import type { ErrorCode } from '../../src/stdx/errors.js'
import { sayChange } from '../../src/testing/coordinator/scene-tools.js'
import { HttpServer } from '../io/http-server.js'
import type { Handler } from '../io/http-server.js'

const header = { revision: '7' }
const wait = { timeoutMs: 300 }

function connect(...endpoints: readonly string[]): StoreCoordinator {
  const access = new EtcdAccess({ clock: nodeClock, http: nodeHttp(), endpoints })
  return new StoreCoordinator({ clock: nodeClock, access, attemptMs: 100, silenceMs: 100 })
}

/** What a client says when etcd answers so. */
async function withEtcd(handler: Handler, play: (client: StoreCoordinator) => Promise<void>): Promise<void> {
  await using server = await HttpServer.start(handler)
  const client = connect(server.url)
  await play(client)
  client.close()
}

/** An event as etcd writes it: of the key `k`, behind our prefix. */
function event(revision: number, letter: string): object {
  const key = btoa(`khazana/${letter}`)
  return { kv: { key, value: btoa(String(revision)), mod_revision: String(revision) } }
}

describe('a client of etcd', () => {
  const refusals: readonly (readonly [
    status: number,
    grpc: number,
    message: string,
    transact: ErrorCode,
    get: ErrorCode,
  ])[] = [
    [503, 14, 'etcdserver: leader changed', 'outcome-unknown', 'timeout'],
    [503, 14, 'etcdserver: no leader', 'outcome-unknown', 'timeout'],
    [504, 4, 'context deadline exceeded', 'outcome-unknown', 'timeout'],
    [429, 8, 'etcdserver: too many requests', 'busy', 'busy'],
    [429, 8, 'etcdserver: mvcc: database space exceeded', 'no-space', 'no-space'],
    [403, 7, 'etcdserver: permission denied', 'unsupported', 'unsupported'],
    [400, 3, 'etcdserver: request is too large', 'invalid-argument', 'invalid-argument'],
  ]
  for (const [status, code, message, transact, get] of refusals) {
    it(`says ${transact} of a transaction when etcd says "${message}"`, () =>
      withEtcd(
        (_, response) => response.writeHead(status).end(JSON.stringify({ error: message, message, code })),
        async (client) => {
          await assert.rejects(client.transact({}, wait), { code: transact })
          await assert.rejects(client.get('k', wait), { code: get })
        },
      ))
  }

  for (const nonsense of ['', 'no JSON', '[]', '{}', '{"header":{"revision":"x"}}', '{"header":3}']) {
    it(`takes "${nonsense}" for no answer of etcd`, () =>
      withEtcd(
        (_, response) => response.end(nonsense),
        async (client) => {
          await assert.rejects(client.get('k', wait), { code: 'protocol-error' })
          await assert.rejects(client.transact({}, wait), { code: 'outcome-unknown' })
        },
      ))
  }

  it('asks the next member when one is down, and stays with it', async () => {
    const down = await HttpServer.start(() => undefined)
    await down[Symbol.asyncDispose]()
    let asked = 0
    await using server = await HttpServer.start((_, response) => {
      asked++
      response.end(JSON.stringify({ header }))
    })
    const client = connect(down.url, `${server.url}/`)
    assert.equal((await client.transact({}, wait)).kind, 'refused')
    assert.equal((await client.get('k', wait)).revision, 7)
    assert.equal(asked, 2)
    client.close()
  })

  it('is told that no member can be reached, and that nothing has happened', async () => {
    const down = await HttpServer.start(() => undefined)
    await down[Symbol.asyncDispose]()
    const client = connect(down.url, down.url)
    await assert.rejects(client.transact({}, wait), { code: 'unreachable' })
    await assert.rejects(client.get('k', wait), { code: 'unreachable' })
    await assert.rejects(client.watch('', 1 as Revision).next(wait), { code: 'unreachable' })
    client.close()
  })

  it('puts the parts of a revision together, however etcd and the network cut them', () =>
    withEtcd(
      (_, response) => {
        const results = [
          { header, created: true },
          { header, fragment: true, events: [event(3, 'a'), event(4, 'a')] },
          { header, fragment: true, events: [event(4, 'b')] },
          { header, events: [event(4, 'c'), event(5, 'a')] },
        ]
        const lines = results.map((result) => `${JSON.stringify({ result })}\n`).join('')
        const half = Math.floor(lines.length / 2)
        response.write(lines.slice(0, half))
        setTimeout(() => response.write(lines.slice(half)), 20)
      },
      async (client) => {
        const watch = client.watch('', 3 as Revision)
        const told = []
        while (told.length < 3) {
          const next = await watch.next({ timeoutMs: 5_000 })
          if (next.kind === 'changes') told.push([next.revision, ...next.changes.map(sayChange)])
        }
        assert.deepEqual(told, [
          [3, '+a 3'],
          [4, '+a 4', '+b 4', '+c 4'],
          [5, '+a 5'],
        ])
      },
    ))

  it('begins anew where it was when a watch falls silent or ends, and knows that progress was told', async () => {
    const asked: string[] = []
    const stories: readonly (readonly object[])[] = [
      [
        { header, created: true },
        { header, events: [event(3, 'a')] },
      ],
      [{ header, created: true, canceled: true, cancel_reason: 'because' }],
      [{ header, created: true }, { header }],
      [
        { header, created: true },
        { header, events: [event(9, 'a')] },
      ],
    ]
    await withEtcd(
      (body, response) => {
        const request = JSON.parse(body) as { readonly create_request: { readonly start_revision: string } }
        for (const result of stories[asked.length] ?? []) response.write(`${JSON.stringify({ result })}\n`)
        asked.push(request.create_request.start_revision)
      },
      async (client) => {
        const watch = client.watch('', 1 as Revision)
        for (const revision of [3, 9]) {
          const told = await watch.next({ timeoutMs: 5_000 })
          assert.equal(told.kind, 'changes')
          assert.equal(told.revision, revision)
        }
      },
    )
    assert.deepEqual(asked, ['1', '4', '4', '8'])
  })

  const renewals = [
    ['counts', '3', '3', 'alive'],
    ['does not count, as its leader had been replaced,', '3', '4', undefined],
  ] as const
  for (const [what, renewedIn, readIn, expected] of renewals) {
    it(`a renewal ${what} where it was in term ${renewedIn} and a read after it in term ${readIn}`, async () => {
      const paths: (string | undefined)[] = []
      await withEtcd(
        (body, response) => {
          const isRenewal = 'ID' in (JSON.parse(body) as object)
          paths.push(isRenewal ? 'renewal' : 'read')
          const answer = isRenewal
            ? { result: { header: { revision: '7', raft_term: renewedIn }, ID: '5', TTL: '3' } }
            : { header: { revision: '7', raft_term: readIn } }
          response.end(JSON.stringify(answer))
        },
        async (client) => {
          const renewed = client.keepAlive('5' as LeaseId, wait)
          if (expected === undefined) await assert.rejects(renewed)
          else assert.equal(await renewed, expected)
        },
      )
      assert.deepEqual(paths.slice(0, 2), ['renewal', 'read'])
    })
  }

  it('refuses endpoints and prefixes that cannot be', () => {
    for (const endpoints of [[], ['localhost:2379'], ['http://a/path'], ['ftp://a'], ['http://']]) {
      assert.throws(() => connect(...endpoints), { code: 'invalid-argument' })
    }
    const options = { clock: nodeClock, http: nodeHttp(), endpoints: ['http://a:1'] }
    assert.throws(() => new EtcdAccess({ ...options, namespace: '' }), { code: 'invalid-argument' })
  })
})
