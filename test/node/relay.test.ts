import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SiteId } from '../../src/address/identity.js'
import { clientSite, founder, nodeId } from '../../src/address/identity.js'
import type { ReserveOptions } from '../../src/client/khazana.js'
import type { Region } from '../../src/client/region.js'
import { Relay } from '../../src/node/relay.js'
import { SessionPost } from '../../src/node/replica/session-post.js'
import type { Session } from '../../src/node/session/session.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import type { Notice, PlainCmEnvelope, RegionNotice } from '../../src/wire/message.js'
import { WireSession, regionOf, ScriptedProtocol } from './scripted-site.js'
import { SmallCluster, leaseMs, pageAt, read, write } from './small-cluster.js'

const touches = { conflictTests: { touches: () => true } }
const plugins = { home: touches, relay: touches, near: touches, far: touches }

/** Regions whose protocol is a star, each with what is promised while the home cannot be reached. */
const stars: readonly {
  readonly name: string
  readonly options: ReserveOptions
  readonly cutOff: 'waits' | 'goes on'
}[] = [
  { name: 'release', options: { consistency: 'release' }, cutOff: 'waits' },
  { name: 'bounded', options: { consistency: 'bounded' }, cutOff: 'waits' },
  { name: 'eventual', options: { consistency: 'eventual' }, cutOff: 'goes on' },
  { name: 'strict with a conflict test', options: { conflicts: 'touches' }, cutOff: 'waits' },
]

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'no error'
  } catch (reason) {
    return KhazanaError.from(reason).code
  }
}

function powerOff(cluster: SmallCluster, name: string): void {
  cluster.world.machines.find((machine) => machine.name === name)?.powerOff()
}

/** What the home holds for sites that are not its own. */
async function childrenAtHome(cluster: SmallCluster, region: Region): Promise<number> {
  const { replicas } = await cluster.home.up()
  return replicas.get(region.address)?.inspect(0 as never).children.size ?? 0
}

for (const { name, options, cutOff } of stars) {
  describe(`a client of a node that is not the home, under ${name}`, () => {
    it('reads and writes as if its node were not there', async () => {
      const cluster = new SmallCluster(1, plugins)
      await cluster.run(async () => {
        const region = await cluster.reserve(3, options)
        const far = await cluster.at(cluster.far, region)
        const near = await cluster.at(cluster.near, region)
        for (let round = 1; round < 5; round++) {
          await write(far, 0, round)
          await far.sync()
          await cluster.until('it is read', async () => (await read(near, 0)) === round)
          await write(near, 0, round + 100)
          await near.sync()
          await cluster.until('it is read', async () => (await read(far, 0)) === round + 100)
        }
        // Its node has no copy for it, and no part in it.
        assert.equal((await cluster.relay.up()).replicas.get(region.address), undefined)
      })
    })

    it('hears that the home is lost, and of its return, and goes on', async () => {
      const cluster = new SmallCluster(2, plugins)
      await cluster.run(async () => {
        const region = await cluster.reserve(2, options)
        const far = await cluster.at(cluster.far, region)
        await write(far, 0, 1)
        await far.sync()
        for (let round = 2; round < 5; round++) {
          const mend = cluster.cut(cluster.home, cluster.relay)
          await cluster.pause(3 * leaseMs)
          const code = await codeOf(write(far, 0, round, 300))
          assert.equal(code, cutOff === 'goes on' ? 'no error' : 'timeout')
          const waits = write(far, 0, round, 30_000)
          await cluster.pause(300)
          // The home knows nothing of it any more, and serves others.
          if (cutOff === 'waits') await write(region, 0, 99)
          mend()
          await waits
          await far.sync()
          assert.equal(await read(region, 0), round)
        }
      })
    })

    it('that dies holding a lock keeps it for no longer than its lease', async () => {
      const cluster = new SmallCluster(3, plugins)
      await cluster.run(async () => {
        const region = await cluster.reserve(1, options)
        const far = await cluster.at(cluster.far, region)
        const lock = await far.lock('write', pageAt(0))
        lock.write(0, Uint8Array.of(66))
        const waits = write(region, 0, 5, 60_000)
        await cluster.pause(leaseMs / 2)
        const start = cluster.world.scheduler.now()
        powerOff(cluster, 'client-far')
        await waits
        assert.ok(cluster.world.scheduler.now() - start < 3 * leaseMs)
        assert.equal(await read(region, 0), 5)
        await cluster.until(
          'nothing is held for it',
          async () => (await childrenAtHome(cluster, region)) === 0,
        )
      })
    })

    it('loses its locks with its node, and goes on with the node`s next life', async () => {
      const cluster = new SmallCluster(4, plugins)
      await cluster.run(async () => {
        const region = await cluster.reserve(1, options)
        const far = await cluster.at(cluster.far, region)
        await write(far, 0, 1)
        await far.sync()
        const lock = await far.lock('write', pageAt(0))
        powerOff(cluster, 'node-2')
        await write(region, 0, 5, 60_000)
        cluster.world.machines.find((machine) => machine.name === 'node-2')?.powerOn()
        cluster.relay.service.start()
        await cluster.relay.up()
        await cluster.pause(4 * leaseMs)
        if (cutOff === 'waits') {
          assert.throws(() => lock.read(0, 1), { code: 'context-broken' })
        } else {
          assert.equal(lock.read(0, 1)[0], 1)
          lock.discard()
        }
        await cluster.until('it reads what is new', async () => (await read(far, 0)) === 5)
        await write(far, 0, 6)
        await far.sync()
        assert.equal(await read(region, 0), 6)
      })
    })

    it('hears that the region was unreserved', async () => {
      const cluster = new SmallCluster(5, plugins)
      await cluster.run(async () => {
        const region = await cluster.reserve(1, options)
        const far = await cluster.at(cluster.far, region)
        await write(far, 0, 1)
        await far.sync()
        await region.unreserve()
        await cluster.until(
          'it hears',
          async () => (await codeOf(write(far, 0, 2, 2000))) === 'no-such-region',
        )
      })
    })
  })
}

describe('a node that relays', () => {
  it('tells its client in words where it cannot find the home', async () => {
    const cluster = new SmallCluster(6)
    await cluster.run(async () => {
      const region = await cluster.reserve(1, { consistency: 'release' })
      const far = await cluster.at(cluster.far, region)
      await write(far, 0, 1)
      cluster.relay.service.kill()
      powerOff(cluster, 'node-1')
      cluster.relay.service.start()
      await cluster.relay.up()
      await cluster.pause(4 * leaseMs)
      const start = cluster.world.scheduler.now()
      const code = await codeOf(read(far, 0, 100_000))
      assert.ok(['unreachable', 'timeout'].includes(code), code)
      assert.ok(cluster.world.scheduler.now() - start < 60_000)
      cluster.world.machines.find((machine) => machine.name === 'node-1')?.powerOn()
      cluster.home.service.start()
      assert.equal(await read(far, 0, 100_000), 1)
    })
  })

  it('is not punished for what its client says, nor is anybody else, nor the client elsewhere', async () => {
    const nonsense = new ScriptedProtocol('scripted')
    nonsense.on = (event) =>
      event.kind === 'lock' && nonsense.site?.parent !== undefined
        ? [{ kind: 'send', to: nonsense.site.parent, message: 'nonsense' }]
        : []
    const silent = { protocols: [new ScriptedProtocol('scripted').definition] }
    const cluster = new SmallCluster(7, {
      home: silent,
      relay: silent,
      far: { protocols: [nonsense.definition] },
    })
    await cluster.run(async () => {
      const bad = await cluster.reserve(1, { protocol: 'scripted' })
      const good = await cluster.reserve(1, { consistency: 'release' })
      const far = await cluster.at(cluster.far, good)
      const relay = await cluster.at(cluster.relay, good)
      const [mine, theirs] = [await far.lock('write', pageAt(0)), await relay.lock('read', pageAt(0))]
      const here = await cluster.at(cluster.far, bad)
      for (let count = 0; count < 3; count++) {
        assert.equal(await codeOf(here.lock('write', pageAt(0), { timeoutMs: 5000 })), 'protocol-error')
      }
      await cluster.pause(2 * leaseMs)
      assert.equal(theirs.read(0, 1)[0], 0)
      await theirs.unlock()
      // Its lock in the other region keeps others out as before.
      assert.equal(await codeOf(write(good, 0, 1, 500)), 'timeout')
      mine.write(0, Uint8Array.of(9))
      await mine.unlock()
      assert.equal(await read(good, 0), 9)
    })
  })

  it('forgets its clients` ways with the clients', async () => {
    const cluster = new SmallCluster(8)
    await cluster.run(async () => {
      const regions = [
        await cluster.reserve(1, { consistency: 'release' }),
        await cluster.reserve(1, { consistency: 'bounded' }),
      ]
      for (const region of regions) await write(await cluster.at(cluster.far, region), 0, 1)
      const { replicas } = await cluster.relay.up()
      assert.equal(replicas.wayCount, 2)
      await regions[0]?.setAttributes({ consistency: 'strict' })
      await cluster.until('that of the old protocol is forgotten', () => replicas.wayCount === 1)
      cluster.far.service.kill()
      await cluster.until('it is forgotten', () => replicas.wayCount === 0)
    })
  })
})

const client = clientSite(2 ** 20 + 5)
const region = regionOf()

/** A relay between one client and one home, whose sessions come and go as the test says. */
class Bench {
  readonly toClient = new WireSession()
  readonly toHome = new WireSession()
  isHomeThere = true
  /** Homes that a session was wished for with. */
  readonly wanted: SiteId[] = []
  readonly relay = new Relay({
    post: new SessionPost(),
    want: (home) => this.wanted.push(home),
    session: (site): Session | undefined => {
      if (site === client) return this.client
      return site === founder && this.isHomeThere ? this.toHome.as(founder) : undefined
    },
  })

  get client(): Session {
    return this.toClient.as(client)
  }

  say(word: string, link: number, era = 1): void {
    const envelope = this.envelope(word, link, era)
    if (this.relay.isStale(client, envelope)) return
    this.relay.fromClient(this.client, envelope, [], { ...region, era })
  }

  envelope(word: string, link: number, era = 1): PlainCmEnvelope {
    return {
      kind: 'cm-plain',
      region: region.address,
      generation: 1,
      era,
      client: 0,
      link,
      body: new TextEncoder().encode(word),
      parcels: [],
    }
  }

  notice(notice: Notice): RegionNotice {
    return { kind: 'region-notice', region: region.address, generation: 1, era: 1, client, notice }
  }

  /** What came to the home, by whom. */
  get relayed(): string[] {
    return this.toHome.sent.map(({ message }) => {
      if (message.kind !== 'cm-plain')
        return message.kind === 'region-notice' ? message.notice.kind : message.kind
      return `${message.client} ${new TextDecoder().decode(message.body)}`
    })
  }

  get told(): string[] {
    return this.toClient.sent.map(({ message }) => {
      if (message.kind !== 'region-notice') return message.kind
      const { notice } = message
      return notice.kind === 'joined' || notice.kind === 'refused'
        ? `${notice.kind} ${notice.link}`
        : notice.kind
    })
  }
}

describe('a relay', () => {
  it('drops what a client said before it heard that the home was lost and found', () => {
    const bench = new Bench()
    bench.say('one', 0)
    bench.isHomeThere = false
    bench.relay.homeLost(founder)
    bench.say('lost', 0)
    bench.isHomeThere = true
    bench.relay.homeFound(founder)
    bench.say('stale', 0)
    bench.say('two', 1)
    assert.deepEqual(bench.relayed, [`${client} one`, `${client} two`])
    assert.deepEqual(bench.told, ['severed', 'joined 1'])
    // Whom it has told nothing, it does not tell again.
    bench.relay.homeFound(founder)
    assert.equal(bench.told.length, 2)
  })

  it('severs a client that speaks first while the home is away', () => {
    const bench = new Bench()
    bench.isHomeThere = false
    bench.say('lost', 0)
    bench.say('lost, too', 0)
    assert.deepEqual(bench.told, ['severed'])
  })

  it('needs a home for as long as a client has a way there, and asks for it when one speaks', () => {
    const bench = new Bench()
    assert.ok(!bench.relay.leadsTo(founder))
    bench.isHomeThere = false
    bench.say('lost', 0)
    bench.say('lost, too', 0)
    assert.deepEqual(bench.wanted, [founder, founder])
    assert.ok(bench.relay.leadsTo(founder))
    bench.relay.learned({ ...region, era: 2 })
    assert.ok(!bench.relay.leadsTo(founder))
    bench.isHomeThere = true
    bench.say('one', 0, 2)
    // It leads elsewhere now, and then nowhere.
    const other = nodeId(9)
    bench.relay.fromClient(bench.client, bench.envelope('two', 0, 2), [], { ...region, home: other, era: 2 })
    assert.deepEqual(
      [founder, other].map((home) => bench.relay.leadsTo(home)),
      [false, true],
    )
    bench.relay.clientLost(client)
    assert.ok(!bench.relay.leadsTo(other))
    assert.deepEqual(bench.wanted, [founder, founder, other])
  })

  it('begins anew with each era', () => {
    const bench = new Bench()
    bench.say('one', 0)
    bench.relay.homeLost(founder)
    bench.relay.homeFound(founder)
    bench.say('two', 1)
    bench.relay.learned({ ...region, era: 2 })
    assert.equal(bench.relay.wayCount, 0)
    bench.say('three', 0, 2)
    assert.deepEqual(bench.relayed, [`${client} one`, `${client} two`, `${client} three`])
  })

  it('takes nothing more that a client said before it was refused', () => {
    const bench = new Bench()
    bench.relay.refuse(bench.client, bench.envelope('one', 0), new KhazanaError('unreachable', 'no home'))
    bench.say('stale', 0)
    bench.say('two', 1)
    bench.relay.noticeToClient(
      client,
      bench.notice({ kind: 'refused', code: 'unsupported', message: '', link: 1 }),
    )
    bench.say('stale', 1)
    bench.say('three', 2)
    assert.deepEqual(bench.told, ['refused 1', 'refused 2'])
    assert.deepEqual(bench.relayed, [`${client} two`, `${client} three`])
  })

  it('tells the home of clients that are lost, and nobody of those that said nothing', () => {
    const bench = new Bench()
    bench.relay.clientLost(client)
    bench.say('one', 0)
    bench.relay.clientLost(client)
    bench.relay.clientLost(client)
    assert.deepEqual(bench.relayed, [`${client} one`, 'client-lost'])
    assert.equal(bench.relay.wayCount, 0)
  })

  it('hands on only what the home of the client`s region says, to a client that it has', () => {
    const bench = new Bench()
    bench.relay.toClient(client, bench.envelope('early', 0), [])
    bench.say('one', 0)
    assert.ok(bench.relay.knows(founder, client, region.address))
    assert.ok(!bench.relay.knows(3 as SiteId, client, region.address))
    bench.relay.toClient(client, bench.envelope('answer', 0), [])
    bench.relay.toClient(client, bench.envelope('of another era', 0, 7), [])
    bench.relay.noticeToClient(client, bench.notice({ kind: 'gone' }))
    assert.deepEqual(bench.told, ['cm-plain', 'gone'])
    assert.equal(bench.relay.wayCount, 0)
  })
})
