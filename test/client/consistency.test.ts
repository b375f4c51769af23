import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { presets } from '../../src/address/consistency-vector.js'
import { Khazana, KhazanaError } from '../../src/index.js'
import type { AttributeSettings, ErrorCode, LockMode, PluginOptions } from '../../src/index.js'
import { outsideProtocol } from '../consistency/outside-protocol.js'

const plugins: PluginOptions = {
  protocols: ['mine', 'release', 'bounded', 'eventual', 'crew-objects'].map(outsideProtocol),
  conflictTests: { 'by-tag': (a, b) => a.tag === b.tag },
  mergeFunctions: { newest: (_mine, theirs) => theirs },
}
const first = { offset: 0, length: 1 }

async function refused(work: () => unknown, code: ErrorCode, words: RegExp): Promise<void> {
  await assert.rejects(
    async () => {
      await work()
    },
    (error) => error instanceof KhazanaError && error.code === code && words.test(error.message),
  )
}

describe('the consistency of a region', () => {
  let dir = ''
  let khazana: Khazana
  /** With all that the node has, and with nothing but what is built in. */
  let client: Khazana
  let bare: Khazana
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'khz-'))
    khazana = await Khazana.open({ dir, ...plugins })
    client = await Khazana.open({ dir, ...plugins })
    bare = await Khazana.connect(join(dir, 'khazana.sock'))
  })
  after(async () => {
    for (const each of [bare, client, khazana]) await each.close()
    await rm(dir, { recursive: true })
  })

  it('is chosen when it is reserved, and known to all', async () => {
    for (const each of [khazana, client, bare]) {
      assert.deepEqual((await each.reserve(4096)).attributes.consistency, presets.strict)
      const settings = {
        consistency: { preset: 'bounded', staleness: { ms: 20, versions: 3 }, isolation: 'live' },
        conflicts: 'by-tag',
      } as const
      const { address } = await each.reserve(4096, settings)
      const { attributes } = await khazana.region(address)
      assert.deepEqual(attributes, {
        protocol: 'bounded',
        consistency: { ...presets.bounded, staleness: { ms: 20, versions: 3 }, isolation: 'live' },
        conflicts: 'by-tag',
        merge: '',
        minReplicas: 1,
        labels: {},
      })
    }
  })

  it('that cannot be is refused before anything is reserved', async () => {
    for (const each of [khazana, client]) {
      for (const [settings, code, words] of [
        [{ consistency: { failure: 'available' } }, 'invalid-argument', /two sides of a partition/],
        [{ consistency: 'sloppy' }, 'invalid-argument', /'strict' or/],
        [{ protocol: 'crew', consistency: 'eventual' }, 'invalid-argument', /cannot go with/],
        [{ merge: 'newest' }, 'invalid-argument', /would never be called/],
        [
          { protocol: 'yours' },
          'unsupported',
          /no protocol "yours" is registered on this node, which has crew/,
        ],
        [{ conflicts: 'by-row' }, 'unsupported', /no conflict test "by-row" .* has by-tag/],
        [{ consistency: 'eventual', merge: 'oldest' }, 'unsupported', /no merge function "oldest"/],
      ] as const) {
        await refused(() => each.reserve(4096, settings as AttributeSettings), code, words)
      }
    }
    const [status] = (await khazana.nodes()).map((entry) => entry.status?.regions)
    assert.equal(status, 6, 'those of the test before')
  })

  it('cannot become what its home has not registered', async () => {
    const region = await client.reserve(4096)
    for (const [settings, code, words] of [
      [{ protocol: 'yours' }, 'unsupported', /"yours"/],
      [{ conflicts: 'by-row' }, 'unsupported', /"by-row"/],
      [{ consistency: { isolation: 'live' } }, 'invalid-argument', /strict/],
    ] as const) {
      await refused(() => region.setAttributes(settings), code, words)
    }
    assert.deepEqual(await region.refresh(), { ...region.attributes, protocol: 'crew', conflicts: '' })
  })

  it('needs its protocol and functions at every site that locks, and says so', async () => {
    for (const [settings, words] of [
      [{ protocol: 'mine' }, /no protocol "mine" is registered in this client, which has crew/],
      [{ protocol: 'mine', merge: 'newest' }, /no (protocol "mine"|merge function "newest")/],
      [
        { conflicts: 'by-tag' },
        /no (protocol "crew-objects"|conflict test "by-tag") is registered in this client/,
      ],
    ] as const) {
      const region = await bare.reserve(4096, settings)
      await refused(() => region.lock('read', first), 'unsupported', words)
      await refused(() => region.tryLock('read', first), 'unsupported', words)
    }
  })

  it('is weakened by a lock, or made fresh, in words that are checked', async () => {
    const strict = await client.reserve(4096)
    await strict.allocate()
    const demands = { tag: 'row 5', staleness: { ms: 500 } }
    const asked = await strict.lock('read', first, { ...demands, timeoutMs: 5000 })
    await asked.unlock()
    const hit = strict.tryLock('read', first, { staleness: 'fresh' })
    assert.ok(hit !== undefined, 'a strict page that is here is fresh')
    assert.deepEqual(hit.read(0, 1), new Uint8Array(1))
    await hit.unlock()
    const eventual = await client.reserve(4096, { consistency: 'eventual' })
    const bounded = await client.reserve(4096, { consistency: 'bounded' })
    for (const lock of ['lock', 'tryLock'] as const) {
      await refused(
        () => eventual[lock]('read', first, { staleness: 'fresh' }),
        'invalid-argument',
        /nobody knows/,
      )
      await refused(
        () => bounded[lock]('read', first, { staleness: { ms: 5 } }),
        'invalid-argument',
        /'fresh'/,
      )
      await refused(
        () => strict[lock]('read', first, { tag: 5 as never }),
        'invalid-argument',
        /must be a text/,
      )
      await refused(() => strict[lock]('read', first, 5 as never), 'invalid-argument', /must be an object/)
      await refused(() => strict[lock]('write-only' as LockMode, first), 'invalid-argument', /'write-shared'/)
    }
  })

  it('of crew takes a write-shared lock for one to write', async () => {
    const region = await client.reserve(4096)
    await region.allocate()
    const held = await region.lock('write-shared', first)
    held.write(0, new Uint8Array([7]))
    await refused(() => region.lock('read', first, { timeoutMs: 30 }), 'timeout', /read lock/)
    await held.unlock()
    const reader = await region.lock('read', first)
    assert.deepEqual(reader.read(0, 1), new Uint8Array([7]))
    await reader.unlock()
  })

  it('takes no plug-ins that are none', async () => {
    const other = join(dir, 'other')
    const protocols = [{ name: 'no codec', create: () => undefined }] as never
    await refused(() => Khazana.open({ dir: other, protocols }), 'invalid-argument', /a name of/)
    await refused(
      () => Khazana.connect(join(dir, 'khazana.sock'), { protocols }),
      'invalid-argument',
      /a name of/,
    )
  })
})
