import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { CloseReason, Connection, Endpoint, Listener } from '../../src/io/network.js'
import { nodeNetwork } from '../../src/io/node/network.js'

/** One end of a connection, with all that came. */
interface End {
  readonly connection: Connection
  readonly bytes: Uint8Array[]
  readonly closed: Promise<CloseReason>
  drains: number
}

function endOf(connection: Connection): End {
  const bytes: Uint8Array[] = []
  const end: { drains: number } = { drains: 0 }
  const closed = new Promise<CloseReason>((resolve) => {
    connection.start({
      data: (chunk) => bytes.push(chunk.slice()),
      drain: () => end.drains++,
      closed: resolve,
    })
  })
  return Object.assign(end, { connection, bytes, closed })
}

function received(end: End): number {
  return end.bytes.reduce((sum, chunk) => sum + chunk.length, 0)
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'in time')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

let directory = ''
before(async () => (directory = await mkdtemp(join(tmpdir(), 'khazana-net-'))))
after(() => rm(directory, { recursive: true }))

const anyPort: Endpoint = { kind: 'tcp', host: '127.0.0.1', port: 0 }
const timeout = { timeoutMs: 5000 }

async function connected(endpoint: Endpoint): Promise<{ client: End; server: End; listener: Listener }> {
  const accepted: Connection[] = []
  const listener = await nodeNetwork.listen(endpoint, (connection) => accepted.push(connection))
  const client = endOf(await nodeNetwork.connect(listener.endpoint, timeout))
  await until(() => accepted.length > 0)
  const [first] = accepted
  assert.ok(first !== undefined)
  return { client, server: endOf(first), listener }
}

function both(name: string, test: (endpoint: Endpoint) => Promise<void>): void {
  it(`${name} (tcp)`, () => test(anyPort))
  it(`${name} (unix)`, () => test({ kind: 'unix', path: join(directory, 'k.sock') }))
}

describe('a connection', () => {
  both('carries bytes both ways, in order, and says when its queue has drained', async (endpoint) => {
    const { client, server, listener } = await connected(endpoint)
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      let total = 0
      let full = false
      for (let turn = 0; turn < 64; turn++) {
        const chunks = [Uint8Array.of(turn), new Uint8Array(100_000).fill(turn), new Uint8Array(3).fill(turn)]
        total += 100_004
        full = !from.connection.send(chunks) || full
      }
      assert.ok(full && from.connection.queuedBytes > 0)
      await until(() => received(to) === total)
      await until(() => from.drains === 1)
      assert.equal(from.connection.queuedBytes, 0)
      const all = Buffer.concat(to.bytes)
      for (let turn = 0; turn < 64; turn++) {
        assert.ok(all.subarray(turn * 100_004, (turn + 1) * 100_004).every((byte) => byte === turn))
      }
    }
    client.connection.destroy()
    server.connection.destroy()
    await listener.close()
  })

  both('closes after all that was sent, and the other side sees its end', async (endpoint) => {
    const { client, server, listener } = await connected(endpoint)
    // The other side is sending too: what it sends must not cost what was sent to it.
    server.connection.send([new Uint8Array(3_000_000)])
    client.connection.send([new Uint8Array(2_000_000)])
    client.connection.close()
    assert.deepEqual(await server.closed, { kind: 'ended' })
    assert.equal(received(server), 2_000_000)
    assert.deepEqual(await client.closed, { kind: 'local' })
    await listener.close()
  })

  it('that is destroyed is a reset to the other side over tcp', async () => {
    const { client, server, listener } = await connected(anyPort)
    client.connection.destroy()
    assert.equal((await server.closed).kind, 'reset')
    assert.deepEqual(await client.closed, { kind: 'local' })
    await listener.close()
  })

  both('that has ended takes what is sent without complaint', async (endpoint) => {
    const { client, server, listener } = await connected(endpoint)
    client.connection.close()
    await server.closed
    assert.equal(server.connection.send([Uint8Array.of(1)]), true)
    server.connection.close()
    server.connection.destroy()
    client.connection.destroy()
    await listener.close()
  })

  it('to a process that is killed ends', async () => {
    const path = join(directory, 'killed.sock')
    const accepted: Connection[] = []
    const endpoints: readonly Endpoint[] = [anyPort, { kind: 'unix', path }]
    for (const endpoint of endpoints) {
      const listener = await nodeNetwork.listen(endpoint, (connection) => accepted.push(connection))
      const target =
        listener.endpoint.kind === 'tcp'
          ? String(listener.endpoint.port)
          : JSON.stringify(listener.endpoint.path)
      const child = spawn(process.execPath, [
        '-e',
        `require('net').connect(${target}); setInterval(() => {}, 1000)`,
      ])
      await until(() => accepted.length > 0)
      const [connection] = accepted.splice(0)
      assert.ok(connection !== undefined)
      const end = endOf(connection)
      child.kill('SIGKILL')
      assert.deepEqual(await end.closed, { kind: 'ended' })
      await listener.close()
    }
  })

  it('keeps what arrived before it was started', async () => {
    const accepted: Connection[] = []
    const listener = await nodeNetwork.listen(anyPort, (connection) => accepted.push(connection))
    const client = await nodeNetwork.connect(listener.endpoint, timeout)
    await until(() => accepted.length > 0)
    accepted[0]?.send([Uint8Array.of(1, 2, 3)])
    client.send([Uint8Array.of(4)])
    await new Promise((resolve) => setTimeout(resolve, 30))
    const [early] = accepted
    assert.ok(early !== undefined)
    const ends = [endOf(client), endOf(early)]
    await until(() => ends.every((end) => received(end) > 0))
    assert.deepEqual(
      ends.map((end) => Buffer.concat(end.bytes).toString('hex')),
      ['010203', '04'],
    )
    for (const end of ends) end.connection.destroy()
    await listener.close()
  })
})

describe('connecting', () => {
  it('to a port that is none is refused', async () => {
    for (const port of [-1, 1.5, 65_536, NaN]) {
      const endpoint: Endpoint = { kind: 'tcp', host: '127.0.0.1', port }
      await assert.rejects(nodeNetwork.connect(endpoint, timeout), { code: 'invalid-argument' })
    }
  })

  it('to nobody is unreachable', async () => {
    const listener = await nodeNetwork.listen(anyPort, () => undefined)
    await listener.close()
    const nobody: readonly Endpoint[] = [
      listener.endpoint,
      { kind: 'unix', path: join(directory, 'nobody.sock') },
      { kind: 'unix', path: join(directory, 'x'.repeat(200)) },
      { kind: 'tcp', host: 'no-such-host.invalid', port: 1 },
    ]
    for (const endpoint of nobody) {
      await assert.rejects(nodeNetwork.connect(endpoint, timeout), { code: 'unreachable' })
    }
  })
})

describe('listening', () => {
  it('on a port that is taken says what to do', async () => {
    const listener = await nodeNetwork.listen(anyPort, () => undefined)
    await assert.rejects(
      nodeNetwork.listen(listener.endpoint, () => undefined),
      {
        code: 'address-in-use',
        message: /127\.0\.0\.1:\d+ is in use: stop .* or choose another port/,
      },
    )
    await listener.close()
  })

  it('on an address that is not here, or on nonsense, is refused', async () => {
    const wrong: readonly Endpoint[] = [
      { kind: 'tcp', host: '192.0.2.1', port: 0 },
      { kind: 'tcp', host: '127.0.0.1', port: 99_999 },
      { kind: 'unix', path: join(directory, 'no', 'such', 'directory') },
      { kind: 'unix', path: join(directory, 'x'.repeat(120)) },
    ]
    for (const endpoint of wrong) {
      await assert.rejects(
        nodeNetwork.listen(endpoint, () => undefined),
        { code: 'invalid-argument' },
      )
    }
    assert.deepEqual(await readdir(directory), [], 'nothing is left behind')
  })

  it('on a unix socket makes it for its user alone, and removes it in the end', async () => {
    const path = join(directory, 'own.sock')
    await chmod(directory, 0o755)
    const listener = await nodeNetwork.listen({ kind: 'unix', path }, () => undefined)
    const { mode } = await stat(path)
    assert.equal(mode & 0o777, 0o600)
    assert.deepEqual(await readdir(directory), ['own.sock'])
    await listener.close()
    assert.deepEqual(await readdir(directory), [])
  })

  it('on a unix socket takes over one that nobody answers, and no other', async () => {
    const path = join(directory, 'taken.sock')
    const endpoint: Endpoint = { kind: 'unix', path }
    const first = await nodeNetwork.listen(endpoint, () => undefined)
    await assert.rejects(
      nodeNetwork.listen(endpoint, () => undefined),
      { code: 'address-in-use' },
    )
    assert.equal((await stat(path)).isSocket(), true)
    await first.close()

    // A process that was killed leaves its socket behind.
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    const child = spawn(process.execPath, ['-e', script])
    await new Promise((resolve) => child.once('exit', resolve))
    assert.equal((await stat(path)).isSocket(), true)
    const second = await nodeNetwork.listen(endpoint, () => undefined)
    const client = await nodeNetwork.connect(endpoint, timeout)
    client.destroy()
    await second.close()

    await writeFile(path, 'precious')
    await assert.rejects(
      nodeNetwork.listen(endpoint, () => undefined),
      { code: 'address-in-use' },
    )
    assert.equal((await stat(path)).size, 8)
    await rm(path)
  })

  it('on a unix socket by several at once is won by one', async () => {
    const endpoint: Endpoint = { kind: 'unix', path: join(directory, 'race.sock') }
    const attempts = await Promise.allSettled(
      [1, 2, 3, 4].map(() => nodeNetwork.listen(endpoint, () => undefined)),
    )
    const won = attempts.filter((attempt) => attempt.status === 'fulfilled')
    assert.equal(won.length, 1)
    await won[0]?.value.close()
    assert.deepEqual(await readdir(directory), [])
  })
})
