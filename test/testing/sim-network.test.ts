import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KhazanaError } from '../../src/stdx/errors.js'
import type { CloseReason, Connection, Endpoint, Network } from '../../src/io/network.js'
import { Prng } from '../../src/stdx/prng.js'
import { Scheduler } from '../../src/testing/scheduler.js'
import { SimNetwork, networkDefaults } from '../../src/testing/sim-network.js'
import { SimProcess } from '../../src/testing/sim-process.js'
import { Trace } from '../../src/testing/trace.js'

interface Peer {
  readonly process: SimProcess
  readonly network: Network
}

/** What one end of a connection was told. */
class Ear {
  readonly chunks: Uint8Array[] = []
  readonly kept: Uint8Array[] = []
  drains = 0
  closed: CloseReason | undefined
  closings = 0

  static on(connection: Connection): Ear {
    const ear = new Ear()
    connection.start({
      data: (chunk) => {
        ear.chunks.push(chunk.slice())
        ear.kept.push(chunk)
      },
      drain: () => ear.drains++,
      closed: (reason) => {
        ear.closed = reason
        ear.closings++
      },
    })
    return ear
  }

  get bytes(): Uint8Array {
    return joined(this.chunks)
  }
}

class Wires {
  readonly scheduler: Scheduler
  readonly network: SimNetwork
  readonly random: Prng

  constructor(seed = 1) {
    this.random = Prng.fromSeed(seed)
    this.scheduler = new Scheduler({
      random: this.random.fork('scheduler'),
      trace: new Trace(),
      stepsMax: 1e6,
      wallClockMsMax: 20_000,
    })
    this.network = new SimNetwork(this.scheduler, this.random.fork('network'))
    this.network.addHost('a')
    this.network.addHost('b')
  }

  peer(host: string, name = host): Peer {
    const process = new SimProcess(name, this.scheduler)
    return { process, network: this.network.viewOf(process, host) }
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.scheduler.settle(promise, this.scheduler.now() + 1e6)
  }

  run(ms: number): Promise<void> {
    return this.scheduler.run(this.scheduler.now() + ms)
  }

  /** A client on a, a server on b, and the two ends between them. */
  async pair(): Promise<{ client: Peer; server: Peer; near: Connection; far: Connection }> {
    const client = this.peer('a', 'client')
    const server = this.peer('b', 'server')
    const accepted: Connection[] = []
    await this.settle(server.network.listen(at('b', 7000), (connection) => accepted.push(connection)))
    const near = await this.settle(client.network.connect(at('b', 7000), { timeoutMs: 1000 }))
    await this.run(10)
    assert.equal(accepted.length, 1)
    return { client, server, near, far: accepted[0] as Connection }
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

function at(host: string, port: number): Endpoint {
  return { kind: 'tcp', host, port }
}

const timeout: CloseReason = { kind: 'reset', cause: 'timeout' }

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof KhazanaError && error.code === code
}

function startsWith(whole: Uint8Array, part: Uint8Array): boolean {
  return part.every((byte, index) => whole[index] === byte)
}

test('bytes arrive whole and in order, split and joined at random', async () => {
  for (let seed = 0; seed < 30; seed++) {
    const wires = new Wires(seed)
    const { near, far } = await wires.pair()
    const ear = Ear.on(far)
    Ear.on(near)
    const sent = Array.from({ length: 40 }, () => wires.random.bytes(wires.random.int(0, 3000)))
    for (const chunk of sent) {
      near.send([chunk])
      if (wires.random.chance(0.3)) await wires.run(wires.random.between(0, 1))
    }
    await wires.run(1000)
    assert.deepEqual(ear.bytes, joined(sent), `seed ${seed}`)
    const sizes = (chunks: readonly Uint8Array[]): string => chunks.map((chunk) => chunk.length).join()
    assert.notEqual(sizes(ear.chunks), sizes(sent.filter((chunk) => chunk.length > 0)), `seed ${seed}`)
  }
})

test('a chunk that was kept beyond the call holds garbage', async () => {
  const wires = new Wires()
  const { near, far } = await wires.pair()
  const ear = Ear.on(far)
  near.send([wires.random.bytes(5000)])
  await wires.run(100)
  assert.equal(ear.bytes.length, 5000)
  assert.ok(ear.kept.every((chunk) => chunk.every((byte) => byte === 0xdb)))
})

test('a program that changes what it has queued sends the change', async () => {
  const wires = new Wires()
  const { near, far } = await wires.pair()
  const ear = Ear.on(far)
  const chunk = new Uint8Array(10)
  near.send([chunk])
  chunk.fill(1)
  await wires.run(100)
  assert.deepEqual(ear.bytes, new Uint8Array(10).fill(1))
})

test('what arrives before start waits for it', async () => {
  const wires = new Wires()
  const { near, far } = await wires.pair()
  near.send([wires.random.bytes(100_000)])
  near.close()
  await wires.run(1000)
  const ear = Ear.on(far)
  await wires.run(1000)
  assert.equal(ear.bytes.length, 100_000)
  assert.deepEqual(ear.closed, { kind: 'ended' })
})

test('a receiver that does not read fills the queue of the sender, and drain comes when it reads', async () => {
  const wires = new Wires()
  const { near, far } = await wires.pair()
  const sender = Ear.on(near)
  const chunk = new Uint8Array(100_000)
  let accepted = 0
  while (near.send([chunk])) {
    accepted += chunk.length
    await wires.run(100)
    assert.ok(accepted < 10e6, 'the queue has no end')
  }
  assert.ok(near.queuedBytes > networkDefaults.queueHighWaterBytes)
  await wires.run(1000)
  assert.equal(sender.drains, 0)
  const ear = Ear.on(far)
  await wires.run(1000)
  assert.equal(sender.drains, 1)
  assert.equal(ear.bytes.length, accepted + chunk.length)
  assert.equal(near.queuedBytes, 0)
})

test('a paused receiver holds the sender up as well', async () => {
  const wires = new Wires()
  const { near, far, server } = await wires.pair()
  const ear = Ear.on(far)
  const sender = Ear.on(near)
  server.process.pause()
  while (near.send([new Uint8Array(100_000)])) await wires.run(100)
  await wires.run(100_000)
  assert.equal(ear.bytes.length, 0)
  assert.equal(sender.closed, undefined)
  server.process.resume()
  await wires.run(1000)
  assert.ok(ear.bytes.length > networkDefaults.queueHighWaterBytes)
})

test('bandwidth bounds the speed of a stream', async () => {
  const wires = new Wires()
  const { near, far } = await wires.pair()
  const ear = Ear.on(far)
  const startMs = wires.scheduler.now()
  const bytes = networkDefaults.remote.bandwidthBytesPerMs * 50
  near.send([new Uint8Array(bytes)])
  while (ear.chunks.reduce((sum, chunk) => sum + chunk.length, 0) < bytes) await wires.run(1)
  const tookMs = wires.scheduler.now() - startMs
  assert.ok(tookMs >= 50 && tookMs < 120, `${tookMs} ms`)
})

test('an orderly close delivers all, and says so once on both sides', async () => {
  const wires = new Wires()
  const { near, far } = await wires.pair()
  const [a, b] = [Ear.on(near), Ear.on(far)]
  near.send([wires.random.bytes(300_000)])
  near.close()
  assert.equal(near.send([new Uint8Array(1)]), false)
  await wires.run(1000)
  assert.equal(b.bytes.length, 300_000)
  assert.deepEqual([a.closed, b.closed], [{ kind: 'local' }, { kind: 'ended' }])
  assert.deepEqual([a.closings, b.closings], [1, 1])
  assert.equal(wires.network.streams.length, 0)
})

test('destroy loses what is queued; the other side sees an end or a reset', async () => {
  const seen = new Set<string>()
  for (let seed = 0; seed < 20; seed++) {
    const wires = new Wires(seed)
    const { near, far } = await wires.pair()
    const [a, b] = [Ear.on(near), Ear.on(far)]
    const bytes = wires.random.bytes(900_000)
    near.send([bytes])
    await wires.run(1)
    near.destroy()
    await wires.run(1000)
    assert.deepEqual(a.closed, { kind: 'local' })
    assert.ok(b.bytes.length < bytes.length && startsWith(bytes, b.bytes), `seed ${seed}`)
    seen.add(b.closed?.kind ?? 'nothing')
  }
  assert.deepEqual([...seen].sort(), ['ended', 'reset'])
})

test('a broken connection loses a suffix each way, and the sides notice at different times', async () => {
  const lost = { some: 0, apart: 0 }
  for (let seed = 0; seed < 30; seed++) {
    const wires = new Wires(seed)
    const { near, far } = await wires.pair()
    const [a, b] = [Ear.on(near), Ear.on(far)]
    const bytes = wires.random.bytes(200_000)
    near.send([bytes])
    far.send([bytes])
    await wires.run(1)
    wires.network.streams[0]?.break('test')
    let apart = 0
    for (let ms = 0; ms < networkDefaults.breakNoticeMsMax + 10; ms += 10) {
      await wires.run(10)
      if ((a.closed === undefined) !== (b.closed === undefined)) apart += 10
    }
    for (const ear of [a, b]) {
      assert.deepEqual(ear.closed, { kind: 'reset', cause: 'test' }, `seed ${seed}`)
      assert.ok(startsWith(bytes, ear.bytes), `seed ${seed}`)
      if (ear.bytes.length < bytes.length) lost.some++
    }
    if (apart > 1000) lost.apart++
  }
  assert.ok(lost.some > 20 && lost.apart > 15, JSON.stringify(lost))
})

test('after a break a side that has not noticed sends into nothing', async () => {
  const wires = new Wires(3)
  const { near, far } = await wires.pair()
  const [, b] = [Ear.on(near), Ear.on(far)]
  wires.network.streams[0]?.break('test')
  near.send([new Uint8Array(100)])
  await wires.run(50_000)
  assert.equal(b.bytes.length, 0)
})

test('the kernel of a killed process delivers what it had taken, then closes', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const wires = new Wires(seed)
    const { near, far, client } = await wires.pair()
    const [a, b] = [Ear.on(near), Ear.on(far)]
    const bytes = wires.random.bytes(900_000)
    near.send([bytes])
    await wires.run(1)
    client.process.die('killed')
    await wires.run(1000)
    assert.ok(b.closed?.kind === 'ended' || b.closed?.kind === 'reset', `seed ${seed}`)
    assert.ok(b.bytes.length < bytes.length && startsWith(bytes, b.bytes))
    assert.equal(a.closed, undefined, 'the dead are told nothing')
  }
})

test('a machine without power is silent; a peer that sends is reset only after long', async () => {
  const wires = new Wires()
  const { near, far, server } = await wires.pair()
  const a = Ear.on(near)
  Ear.on(far)
  wires.network.powerOff('b')
  server.process.die('power-lost')
  near.send([new Uint8Array(100)])
  await wires.run(5000)
  assert.equal(a.closed, undefined)
  await wires.run(networkDefaults.keepaliveMsMax)
  assert.deepEqual(a.closed, { kind: 'reset', cause: 'keepalive' })
})

test('a machine that is back resets a peer that sends', async () => {
  const wires = new Wires()
  const { near, far, server } = await wires.pair()
  const a = Ear.on(near)
  Ear.on(far)
  wires.network.powerOff('b')
  server.process.die('power-lost')
  await wires.run(100)
  wires.network.powerOn('b')
  await wires.run(100)
  assert.equal(a.closed, undefined, 'nobody has said anything yet')
  near.send([new Uint8Array(100)])
  await wires.run(100)
  assert.deepEqual(a.closed, { kind: 'reset', cause: 'connection reset' })
})

test('a partition that heals soon loses nothing', async () => {
  const wires = new Wires()
  const { near, far } = await wires.pair()
  const [a, b] = [Ear.on(near), Ear.on(far)]
  wires.network.link('a', 'b').block()
  wires.network.link('b', 'a').block()
  near.send([new Uint8Array(1000)])
  await wires.run(4000)
  assert.equal(b.bytes.length, 0)
  wires.network.link('a', 'b').unblock()
  wires.network.link('b', 'a').unblock()
  await wires.run(100)
  assert.equal(b.bytes.length, 1000)
  await wires.run(200_000)
  assert.equal(a.closed, undefined)
})

test('a one-way partition lets bytes through the other way, until acknowledgements are missed', async () => {
  const wires = new Wires()
  const { near, far } = await wires.pair()
  const [a, b] = [Ear.on(near), Ear.on(far)]
  wires.network.link('b', 'a').block()
  near.send([new Uint8Array(1000)])
  await wires.run(100)
  assert.equal(b.bytes.length, 1000)
  assert.equal(a.closed, undefined)
  await wires.run(networkDefaults.stallMsMax + networkDefaults.breakNoticeMsMax)
  assert.deepEqual([a.closed, b.closed], [timeout, timeout])
})

test('bytes that a partition holds for too long break the connection', async () => {
  const wires = new Wires()
  const { near, far } = await wires.pair()
  const [a, b] = [Ear.on(near), Ear.on(far)]
  wires.network.link('a', 'b').block()
  near.send([new Uint8Array(1000)])
  await wires.run(networkDefaults.stallMsMax + networkDefaults.breakNoticeMsMax)
  assert.equal(b.bytes.length, 0)
  assert.deepEqual([a.closed, b.closed], [timeout, timeout])
})

test('two overlapping blocks of a link open when both are over', async () => {
  const wires = new Wires()
  const { near, far } = await wires.pair()
  const b = Ear.on(far)
  const link = wires.network.link('a', 'b')
  link.block()
  link.block()
  near.send([new Uint8Array(10)])
  link.unblock()
  await wires.run(100)
  assert.equal(b.bytes.length, 0)
  link.unblock()
  await wires.run(100)
  assert.equal(b.bytes.length, 10)
})

test('nobody listening is told at once, a partition only after the timeout', async () => {
  const wires = new Wires()
  const { network } = wires.peer('a')
  const startMs = wires.scheduler.now()
  await assert.rejects(wires.settle(network.connect(at('b', 1), { timeoutMs: 1000 })), isCode('unreachable'))
  const refusedMs = wires.scheduler.now() - startMs
  assert.ok(refusedMs > 2 * networkDefaults.remote.latencyMsMin && refusedMs < 50, `${refusedMs} ms`)
  await assert.rejects(
    wires.settle(network.connect(at('nowhere', 1), { timeoutMs: 1000 })),
    isCode('unreachable'),
  )
  wires.network.link('b', 'a').block()
  const cutMs = wires.scheduler.now()
  await assert.rejects(wires.settle(network.connect(at('b', 1), { timeoutMs: 1000 })), isCode('unreachable'))
  assert.ok(wires.scheduler.now() - cutMs >= 999.9)
})

test('a connect through a partition that heals in time succeeds', async () => {
  const wires = new Wires()
  const client = wires.peer('a', 'client')
  const server = wires.peer('b', 'server')
  await wires.settle(server.network.listen(at('0.0.0.0', 7000), () => undefined))
  wires.network.link('a', 'b').block()
  wires.scheduler.schedule(undefined, 500, 'heal', () => wires.network.link('a', 'b').unblock())
  const near = await wires.settle(client.network.connect(at('b', 7000), { timeoutMs: 5000 }))
  assert.equal(near.remote, 'b:7000')
  assert.ok(wires.scheduler.now() > 500)
})

test('who gave up connecting leaves the acceptor a connection that ends', async () => {
  const wires = new Wires()
  const client = wires.peer('a', 'client')
  const server = wires.peer('b', 'server')
  const ears: Ear[] = []
  await wires.settle(server.network.listen(at('b', 7000), (connection) => ears.push(Ear.on(connection))))
  wires.network.link('b', 'a').block()
  await assert.rejects(
    wires.settle(client.network.connect(at('b', 7000), { timeoutMs: 100 })),
    isCode('unreachable'),
  )
  assert.equal(ears.length, 1)
  wires.network.link('b', 'a').unblock()
  await wires.run(100)
  assert.ok(ears[0]?.closed !== undefined)
})

test('a paused process accepts once it goes on', async () => {
  const wires = new Wires()
  const client = wires.peer('a', 'client')
  const server = wires.peer('b', 'server')
  const accepted: Connection[] = []
  await wires.settle(server.network.listen(at('b', 7000), (connection) => accepted.push(connection)))
  server.process.pause()
  const near = await wires.settle(client.network.connect(at('b', 7000), { timeoutMs: 1000 }))
  near.send([new Uint8Array(10)])
  await wires.run(100)
  assert.equal(accepted.length, 0)
  server.process.resume()
  await wires.run(1)
  const ear = Ear.on(accepted[0] as Connection)
  await wires.run(1)
  assert.equal(ear.bytes.length, 10)
})

test('ports are taken once, free again when closed or dead, and 0 gives a free one', async () => {
  const wires = new Wires()
  const one = wires.peer('a', 'one')
  const two = wires.peer('a', 'two')
  const listener = await wires.settle(one.network.listen(at('a', 80), () => undefined))
  await assert.rejects(
    wires.settle(two.network.listen(at('127.0.0.1', 80), () => undefined)),
    isCode('address-in-use'),
  )
  await wires.settle(listener.close())
  await wires.settle(two.network.listen(at('a', 80), () => undefined))
  two.process.die('killed')
  await wires.settle(one.network.listen(at('a', 80), () => undefined))
  await assert.rejects(
    wires.settle(one.network.listen(at('b', 80), () => undefined)),
    isCode('invalid-argument'),
  )
  const [first, second] = [
    await wires.settle(one.network.listen(at('a', 0), () => undefined)),
    await wires.settle(one.network.listen(at('a', 0), () => undefined)),
  ]
  assert.notDeepEqual(first.endpoint, second.endpoint)
})

test('unix sockets and loopback are reached from their own host alone', async () => {
  const wires = new Wires()
  const server = wires.peer('a', 'server')
  const home = wires.peer('a', 'home')
  const away = wires.peer('b', 'away')
  const socket: Endpoint = { kind: 'unix', path: '/run/khazana.sock' }
  await wires.settle(server.network.listen(socket, () => undefined))
  await wires.settle(server.network.listen(at('127.0.0.1', 80), () => undefined))
  await wires.settle(home.network.connect(socket, { timeoutMs: 100 }))
  await wires.settle(home.network.connect(at('localhost', 80), { timeoutMs: 100 }))
  await assert.rejects(wires.settle(away.network.connect(socket, { timeoutMs: 100 })), isCode('unreachable'))
  await assert.rejects(
    wires.settle(away.network.connect(at('a', 80), { timeoutMs: 100 })),
    isCode('unreachable'),
  )
})

test('messages on different connections overtake each other', async () => {
  const wires = new Wires()
  const client = wires.peer('a', 'client')
  const server = wires.peer('b', 'server')
  const arrivals: number[] = []
  await wires.settle(
    server.network.listen(at('b', 7000), (connection) =>
      connection.start({
        data: (chunk) => arrivals.push(chunk[0] ?? -1),
        drain: () => undefined,
        closed: () => undefined,
      }),
    ),
  )
  const connections: Connection[] = []
  for (let index = 0; index < 20; index++) {
    connections.push(await wires.settle(client.network.connect(at('b', 7000), { timeoutMs: 1000 })))
  }
  for (const [index, connection] of connections.entries()) connection.send([Uint8Array.of(index)])
  await wires.run(100)
  assert.equal(arrivals.length, 20)
  assert.notDeepEqual(
    arrivals,
    [...arrivals].sort((a, b) => a - b),
  )
})
