import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { bin, khazana, output } from './command.js'
import { Daemon, TemporaryFolder } from './daemon.js'

interface Line {
  readonly kind: string
  readonly [name: string]: unknown
}

/** A `khazana watch` that runs until it is interrupted. */
class Watcher {
  readonly #child
  readonly #lines: AsyncIterator<string, undefined>
  readonly #closed: Promise<[number | null]>
  #stderr = ''

  constructor(args: readonly string[], at: string) {
    this.#child = spawn(process.execPath, [bin, 'watch', ...args, '--at', at], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child.stderr.on('data', (bytes: Buffer) => (this.#stderr += bytes.toString()))
    // From the start: it may be over before anybody asks.
    this.#closed = once(this.#child, 'close') as Promise<[number | null]>
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  async line(): Promise<string> {
    const next = await this.#lines.next()
    if (next.done === true) throw new Error(`no more lines: ${this.#stderr}`)
    return next.value
  }

  async json(): Promise<Line> {
    return JSON.parse(await this.line()) as Line
  }

  async end(signal: NodeJS.Signals): Promise<readonly [status: number | null, stderr: string]> {
    this.#child.kill(signal)
    return this.ended()
  }

  async ended(): Promise<readonly [status: number | null, stderr: string]> {
    const [status] = await this.#closed
    return [status, this.#stderr]
  }
}

test('watch prints what others write at another node, goes on when the home dies, and ends when interrupted', async () => {
  await using folder = await TemporaryFolder.make()
  const home = await Daemon.start(folder.in('a'))
  await using other = await Daemon.start(folder.in('b'), ['--join', home.ready.listen])
  const address = await output(['reserve', '16KiB'], { at: home.at })
  await output(['allocate', address], { at: home.at })

  const watcher = new Watcher([address, '--json', '--offset', '4KiB', '--length', '8KiB'], other.at)
  assert.deepEqual(await watcher.json(), { kind: 'ready', address, offset: 4096, length: 8192 })
  await output(['write', address], { at: home.at, input: 'not watched' })
  await output(['write', address, '--offset', '4KiB'], { at: home.at, input: 'one' })
  await output(['write', address, '--offset', '8KiB'], { at: other.at, input: 'two' })
  const one = await watcher.json()
  const { by: first, ...rest } = one
  assert.deepEqual(rest, {
    kind: 'change',
    address: address.replace(/:0$/, ':1000'),
    offset: 4096,
    length: 4096,
    version: 1,
  })
  assert.equal((first as { node: number }).node, 1)
  const two = await watcher.json()
  assert.deepEqual([two['offset'], two['version'], (two['by'] as { node: number }).node], [8192, 1, 2])

  await home.end('SIGKILL')
  await using again = await Daemon.start(folder.in('a'))
  assert.deepEqual(await watcher.json(), { kind: 'dropped', count: null })
  await output(['write', address, '--offset', '4KiB'], { at: again.at, input: 'three' })
  const three = await watcher.json()
  assert.deepEqual([three['offset'], three['version']], [4096, 2])
  assert.deepEqual(await watcher.end('SIGINT'), [130, ''])
})

test('watch speaks to people, and fails where the region ends or is not there', async () => {
  await using folder = await TemporaryFolder.make()
  await using daemon = await Daemon.start(folder.in('a'))
  const address = await output(['reserve', '8KiB'], { at: daemon.at })
  await output(['allocate', address], { at: daemon.at })
  const watcher = new Watcher([address], daemon.at)
  assert.equal(await watcher.line(), `watching ${address}, 8192 bytes from offset 0`)
  await output(['write', address], { at: daemon.at, input: 'x' })
  const line = await watcher.line()
  assert.match(line, /offset 0 {2}length 4096 {2}version 1 {2}by client \d+ of node 1$/)
  await output(['unreserve', address], { at: daemon.at })
  const [status, stderr] = await watcher.ended()
  assert.equal(status, 1)
  assert.match(stderr, /^khazana: no-such-region: /)
  const refused = await khazana(['watch', address], { at: daemon.at })
  assert.equal(refused.status, 1)
  assert.match(refused.stderr, /no-such-region/)
})
