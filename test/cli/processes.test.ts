import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { presets } from '../../src/address/consistency-vector.js'
import type { ReadyNode } from '../../src/cli/ready.js'
import { bin, bytesOf, khazana, output } from './command.js'
import { Daemon, TemporaryFolder } from './daemon.js'
import { statusOf } from './status-of.js'

const MiB = 1024 * 1024

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`a node ends cleanly on ${signal}, and is ready at once after it`, async () => {
    await using folder = await TemporaryFolder.make()
    const first = await Daemon.start(folder.in('a'))
    const address = await output(['put', '-'], { at: first.at, input: 'kept' })
    assert.equal(await first.end(signal), 0)
    assert.match(first.log, new RegExp(`stopping reason=${signal}[^]*stopped\\n$`))
    assert.deepEqual((await readdir(folder.in('a'))).includes('khazana.sock'), false, 'the socket is gone')

    await using second = await Daemon.start(folder.in('a'))
    assert.deepEqual([second.ready.node, second.ready.listen], [first.ready.node, first.ready.listen])
    assert.equal(await output(['get', address], { at: second.at }), 'kept')
  })
}

test('what ready says of a node is how it can be reached', async () => {
  await using folder = await TemporaryFolder.make()
  await using daemon = await Daemon.start(folder.in('a'), ['--name', 'alpha'])
  const { node, name, listen, socket, pid } = daemon.ready
  assert.deepEqual([node, name, typeof pid], [1, 'alpha', 'number'])
  for (const at of [listen, socket, `unix:${socket}`, folder.in('a')]) {
    assert.match(await output(['nodes', '--at', at]), /alpha/)
  }
})

test('every --json is one document on stdout', async () => {
  await using folder = await TemporaryFolder.make()
  await using daemon = await Daemon.start(folder.in('a'))
  const json = async (args: string, input = ''): Promise<Record<string, unknown>> =>
    JSON.parse(await output([...args.split(' '), '--json'], { at: daemon.at, input })) as Record<
      string,
      unknown
    >

  const region = await json('reserve 20KiB --page-size 8KiB')
  const { address } = region
  assert.ok(typeof address === 'string')
  assert.deepEqual([region['size'], region['pageSize'], region['home']], [24_576, 8192, 1])
  assert.deepEqual(await json(`allocate ${address} --length 16KiB`), { address, offset: 0, length: 16_384 })
  assert.deepEqual(await json(`write ${address} --offset 8190`, 'four'), { address, offset: 8190, length: 4 })
  const stat = await json(`stat ${address}`)
  assert.deepEqual(stat['allocated'], [{ offset: 0, length: 16_384 }])
  assert.deepEqual([stat['epoch'], stat['group'], stat['pageCount']], [1, [1], 3])
  assert.deepEqual(stat['pages'], [
    { page: 0, version: 1, sharers: [], damaged: false, owner: null },
    { page: 1, version: 1, sharers: [], damaged: false, owner: null },
  ])
  const attributes = await json(`attributes ${address} --set label.a=1 label.b=x=y`)
  assert.deepEqual(attributes, {
    address,
    protocol: 'crew',
    consistency: presets.strict,
    conflicts: '',
    merge: '',
    minReplicas: 1,
    labels: { a: '1', b: 'x=y' },
  })
  assert.deepEqual((await json(`attributes ${address} --set label.a=`))['labels'], { b: 'x=y' })
  assert.deepEqual(await json(`free ${address} --offset 8KiB`), {
    address,
    offset: 8192,
    length: 16_384,
    state: 'done',
  })
  assert.deepEqual(await json(`unreserve ${address}`), { address, size: 24_576, state: 'done' })
  const { nodes } = (await json('nodes')) as { nodes: { name: string; status: { regions: number } }[] }
  assert.deepEqual(
    nodes.map(({ name, status }) => [name, status.regions]),
    [['node-1', 0]],
  )
  const { attributes: stored } = (await json('put -', 'content')) as { attributes: { labels: unknown } }
  assert.deepEqual(stored.labels, { 'content-length': '7' })
})

test('help teaches by examples, and is no error', async () => {
  for (const args of [['--help'], ['help', 'put'], ['node', '--help'], ['write', '--help']]) {
    const text = await output(args)
    assert.match(text, /Examples?:[^]*khazana /, args.join(' '))
  }
  assert.match(await output(['--version']), /^\d+\.\d+\.\d+$/)
})

test('a reader that stops early ends the command quietly', async () => {
  await using folder = await TemporaryFolder.make()
  await using daemon = await Daemon.start(folder.in('a'))
  const address = await output(['put', '-'], { at: daemon.at, input: Buffer.alloc(5 * MiB, 'y') })
  const child = spawn(process.execPath, [bin, 'get', address, '--at', daemon.at], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const stderr: Buffer[] = []
  child.stderr.on('data', (bytes: Buffer) => stderr.push(bytes))
  await once(child.stdout, 'data')
  child.stdout.destroy()
  const [status] = (await once(child, 'close')) as [number]
  assert.deepEqual([status, Buffer.concat(stderr).toString()], [0, ''])
})

test('a put that is interrupted gives back what it reserved', async () => {
  await using folder = await TemporaryFolder.make()
  await using daemon = await Daemon.start(folder.in('a'))
  await writeFile(folder.in('file'), Buffer.alloc(200 * MiB, 'z'))
  const child = spawn(process.execPath, [bin, 'put', folder.in('file'), '--at', daemon.at], { stdio: 'pipe' })
  while ((await statusOf(daemon)).allocatedBytes === 0) await delay(20)
  child.kill('SIGINT')
  assert.deepEqual(await once(child, 'close'), [130, null])
  const { regions, allocatedBytes } = await statusOf(daemon)
  assert.deepEqual([regions, allocatedBytes], [0, 0])
})

interface ReadyCluster {
  readonly pid: number
  readonly nodes: readonly ReadyNode[]
}

async function startCluster(
  dir: string,
): Promise<{ child: ChildProcess; ready: ReadyCluster; stderr: Buffer[] }> {
  const child = spawn(process.execPath, [bin, 'cluster', '--nodes', '3', '--dir', dir, '--lease', '500'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const stderr: Buffer[] = []
  child.stderr.on('data', (bytes: Buffer) => stderr.push(bytes))
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  assert.match(line, /^ready \{/)
  return { child, ready: JSON.parse(line.slice('ready '.length)) as ReadyCluster, stderr }
}

test('a program that waits for a node that is gone is told in time, and does not just end', async () => {
  await using folder = await TemporaryFolder.make()
  const daemon = await Daemon.start(folder.in('a'))
  const address = await output(['put', '-'], { at: daemon.at, input: 'x' })
  const program = `
    import { Khazana, parseAddress } from ${JSON.stringify(pathToFileURL(resolve('dist/src/index.js')).href)}
    const khazana = await Khazana.connect(${JSON.stringify(daemon.at)})
    const region = await khazana.region(parseAddress(${JSON.stringify(address)}))
    process.stdin.once('data', async () => {
      process.stdin.destroy()
      try {
        await region.lock('write', undefined, { timeoutMs: 700 })
      } catch ({ code }) {
        console.log(code)
      }
      await khazana.close()
    })
    console.log('connected')`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })
  await once(lines, 'line')
  await daemon.end('SIGKILL')
  const told = once(lines, 'line')
  const ended = once(child, 'close')
  child.stdin.write('go on\n')
  assert.deepEqual(await Promise.race([told, ended]), ['timeout'])
  assert.deepEqual(await ended, [0, null])
})

test('a cluster is several nodes: it tells which one died, and ends them all', async () => {
  await using folder = await TemporaryFolder.make()
  const { child, ready, stderr } = await startCluster(folder.in('c'))
  assert.deepEqual(
    ready.nodes.map(({ node, name, socket }) => [node, name, socket]),
    [1, 2, 3].map((number) => [number, `node-${number}`, folder.in('c', `node-${number}`, 'khazana.sock')]),
  )
  const [first, second, third] = ready.nodes
  assert.ok(first !== undefined && second !== undefined && third !== undefined)
  const address = await output(['put', '-', '--at', second.socket], { input: 'shared' })
  assert.equal(await output(['get', address, '--at', third.socket]), 'shared')

  process.kill(third.pid, 'SIGKILL')
  while (!Buffer.concat(stderr).toString().includes('node-3')) await delay(20)
  assert.match(Buffer.concat(stderr).toString(), /khazana: node-3 \(process \d+\) died of SIGKILL/)
  assert.equal(await output(['get', address, '--at', first.socket]), 'shared', 'the others go on')

  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'close'), [0, null])
  for (const { pid } of ready.nodes) assert.ok(!isAlive(pid), `process ${pid} is gone`)
})

test('a cluster comes back with what it had, and does not outlive its parent', async () => {
  await using folder = await TemporaryFolder.make()
  const before = await startCluster(folder.in('c'))
  const at = before.ready.nodes[2]?.socket ?? ''
  const address = await output(['put', '-', '--at', at], { input: 'kept' })
  before.child.kill('SIGKILL')
  for (const { pid } of before.ready.nodes) while (isAlive(pid)) await delay(20)

  const after = await startCluster(folder.in('c'))
  assert.equal((await bytesOf(['get', address, '--at', at])).toString(), 'kept')
  after.child.kill('SIGINT')
  assert.deepEqual(await once(after.child, 'close'), [0, null])
})

test('a cluster whose nodes cannot start says why and leaves none behind', async () => {
  await using folder = await TemporaryFolder.make()
  await using taken = await Daemon.start(folder.in('c', 'node-2'))
  const { status, stderr } = await khazana(['cluster', '--nodes', '3', '--dir', folder.in('c')])
  assert.equal(status, 1)
  assert.match(stderr, /node-2: khazana: directory-in-use/)
  assert.match(stderr, /khazana: internal: a node ended with status 1 before it served/)
  await using first = await Daemon.start(folder.in('c', 'node-1'))
  assert.notEqual(first.ready.pid, taken.ready.pid)
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
