import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createConnection } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { khazana, output } from './command.js'
import type { Outcome } from './command.js'
import { Daemon, TemporaryFolder } from './daemon.js'

/** One line that names the code; nothing on stdout. */
function assertRefused(outcome: Outcome, status: number, code: string, words: RegExp): void {
  const { stderr } = outcome
  assert.equal(outcome.status, status, stderr)
  assert.equal(outcome.stdout.length, 0)
  assert.ok(stderr.startsWith(`khazana: ${code}: `), stderr)
  assert.match(stderr, words)
  assert.doesNotMatch(stderr, /\n {4}at /, 'no stack')
}

describe('a mount says why it cannot be had', () => {
  test('where there is no file system', async () => {
    await using folder = await TemporaryFolder.make()
    await using node = await Daemon.start(folder.in('a'))
    const region = await output(['reserve', '64KiB'], { at: node.at })
    const mount = (address: string): Promise<Outcome> =>
      khazana(['mount', address, folder.in('.')], { at: node.at })
    assertRefused(await mount(region), 1, 'invalid-argument', /no file system/)
    assertRefused(await mount('::1:2:3'), 1, 'invalid-argument', /nobody has reserved/)
    assertRefused(
      await mount('::ffff:0:0:0:0'),
      1,
      'invalid-argument',
      /nobody has reserved|no node of the cluster/,
    )
  })
})

describe('a node that cannot start says why', () => {
  let folder: TemporaryFolder
  let daemon: Daemon
  before(async () => {
    folder = await TemporaryFolder.make()
    daemon = await Daemon.start(folder.in('a'))
  })
  after(async () => {
    await daemon[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  const start = (...args: string[]): Promise<Outcome> => khazana(['node', '--log-level', 'error', ...args])

  test('when its directory is served already', async () => {
    const pid = String(daemon.ready.pid)
    assertRefused(await start('--dir', daemon.dir), 1, 'directory-in-use', new RegExp(`process ${pid}`))
  })

  test('when its port is taken', async () => {
    const { listen } = daemon.ready
    assertRefused(
      await start('--dir', folder.in('b'), '--listen', listen),
      1,
      'address-in-use',
      new RegExp(listen),
    )
  })

  test('when it would listen in the open without TLS', async () => {
    const outcome = await start('--dir', folder.in('c'), '--listen', '0.0.0.0:0')
    assertRefused(outcome, 1, 'insecure', /--insecure/)
    const insecure = await Daemon.start(folder.in('c'), ['--listen', '0.0.0.0:0', '--insecure'])
    assert.match(insecure.ready.listen, /^0\.0\.0\.0:\d+$/)
    assert.equal(await insecure.end('SIGTERM'), 0)
  })

  test('when its directory is of another cluster than the one to join', async () => {
    const other = await Daemon.start(folder.in('other'))
    await other.end('SIGTERM')
    const outcome = await start('--dir', folder.in('other'), '--join', daemon.ready.listen)
    assertRefused(outcome, 1, 'wrong-cluster', /use a new directory/)
  })

  test('when there are certificates for a coordinator that takes none', async () => {
    const outcome = await start('--dir', folder.in('e'), '--coordinator-ca', 'ca.pem')
    assertRefused(outcome, 1, 'invalid-argument', /need --coordinator etcd/)
  })

  test('when a certificate for the coordinator cannot be read, or has no key', async () => {
    const etcd = ['--coordinator', 'etcd://127.0.0.1:2379'] as const
    const outcome = await start(
      '--dir',
      folder.in('e'),
      ...etcd,
      '--coordinator-ca',
      folder.in('missing.pem'),
    )
    assertRefused(outcome, 1, 'invalid-argument', /missing.pem cannot be read/)
    const keyless = await start(
      '--dir',
      folder.in('e'),
      ...etcd,
      '--coordinator-cert',
      folder.in('missing.pem'),
    )
    assertRefused(keyless, 1, 'invalid-argument', /needs its key/)
  })

  test('when the path of its socket is too long', async () => {
    const outcome = await start('--dir', folder.in('x'.repeat(100)))
    assertRefused(outcome, 1, 'invalid-argument', /shorter path/)
  })

  for (const [args, words] of [
    [['--dir', 'x', '--memory', '10MB'], /MiB/],
    [['--dir', 'x', '--listen', 'nonsense'], /host:port/],
    [['--dir', 'x', '--join', 'some/path'], /HOST:PORT/],
    [['--dir', 'x', '--lease', '5'], /100 to 600000/],
    [['--dir', 'x', '--name', 'two words'], /letters/],
    [['--dir', 'x', '--name', '12'], /no name/],
    [['--dir', 'x', '--coordinator', 'zookeeper'], /embedded/],
    [['--dir', 'x', '--coordinator', 'etcd://one,two'], /HOST:PORT/],
    [[], /--dir/],
  ] as const) {
    test(`when told ${args.length === 0 ? 'nothing' : args.join(' ')}`, async () => {
      assertRefused(await start(...args), 2, 'invalid-argument', words)
    })
  }
})

describe('a command that fails says why, and how to do better', () => {
  let folder: TemporaryFolder
  let daemon: Daemon
  let address = ''
  before(async () => {
    folder = await TemporaryFolder.make()
    daemon = await Daemon.start(folder.in('a'), ['--disk', '256MiB'])
    address = await output(['reserve', '64KiB'], { at: daemon.at })
    await output(['allocate', address, '--length', '32KiB'], { at: daemon.at })
  })
  after(async () => {
    await daemon[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  const refused = async (
    line: string,
    status: number,
    code: string,
    words: RegExp,
    input = 'x',
  ): Promise<void> => {
    const args = line.replaceAll('ADDR', address).split(' ')
    assertRefused(await khazana(args, { at: daemon.at, input }), status, code, words)
  }

  for (const [line, code, words] of [
    ['read ADDR', 'not-allocated', /allocate/],
    ['write ADDR --offset 60KiB', 'not-allocated', /allocate/],
    ['read ADDR --offset 60KiB --length 8KiB', 'out-of-range', /65536/],
    ['write ADDR --offset 64KiB', 'out-of-range', /65536/],
    ['read ADDR --length 0', 'invalid-argument', /from 1/],
    ['read ::7:0:0', 'no-such-region', /reserve/],
    ['get ffff::1', 'no-such-region', /reserve/],
    ['get ADDR', 'invalid-argument', /khazana put/],
    ['put /no/such/file', 'invalid-argument', /no such file/],
    ['put /', 'invalid-argument', /directory/],
    ['allocate ADDR --offset 1', 'invalid-argument', /multiples of 4096/],
    ['reserve 0', 'invalid-argument', /from 1/],
    ['reserve 4KiB --page-size 5000', 'invalid-argument', /power of two/],
    ['reserve 4KiB --min-replicas 2', 'unreachable', /the cluster has 1/],
    ['reserve 4KiB --min-replicas 8', 'unsupported', /at most 7/],
    ['reserve 4KiB --protocol telepathy', 'unsupported', /crew/],
    ['reserve 4KiB --failure available', 'invalid-argument', /two sides of a partition.*'eventual'/],
    ['reserve 4KiB --protocol crew --consistency eventual', 'invalid-argument', /cannot go with/],
    ['reserve 4KiB --conflicts by-row', 'unsupported', /no (protocol|conflict test) .*--plugin/],
    ['attributes ADDR --set isolation=live', 'invalid-argument', /cannot go with.*'release'/],
    ['attributes ADDR --set staleness-ms=5', 'invalid-argument', /the preset 'bounded'/],
    ['read ADDR --plugin ./nowhere.mjs', 'invalid-argument', /no plugin/],
    ['attributes ADDR --set label.2=x', 'invalid-argument', /label/],
    ['attributes ADDR --set min-replicas=3', 'unreachable', /the cluster has 1/],
    ['stat ADDR --pages 16:1', 'out-of-range', /65536/],
  ] as const) {
    test(`khazana ${line}`, () => refused(line, 1, code, words))
  }

  for (const [line, words] of [
    ['read over-there', /not an address/],
    ['read', /missing required argument/],
    ['write ADDR --offset -1', /size/],
    ['reserve 64KB', /64KiB/],
    ['reserve huge', /4096, 64KiB or 1GiB/],
    ['stat ADDR --pages 5', /FIRST:COUNT/],
    ['reserve 4KiB --consistency sloppy', /strict, release, bounded, eventual/],
    ['reserve 4KiB --staleness-ms soon', /whole number from 0, or "none"/],
    ['attributes ADDR --set consistency=sloppy', /strict, release, bounded, eventual/],
    ['attributes ADDR --set staleness-ms=-1', /whole number from 0, or "none"/],
    ['attributes ADDR --set isolation', /isolation=/],
    ['attributes ADDR --set colour=red', /label\.NAME/],
    ['read ADDR --timeout 0', /seconds/],
    ['read ADDR --at nonsense', /host:port/],
    ['read ADDR extra', /too many arguments/],
    ['frobnicate', /unknown command/],
    ['reserve 1 --frobnicate', /unknown option/],
  ] as const) {
    test(`khazana ${line}, which is not understood`, () => refused(line, 2, 'invalid-argument', words))
  }

  test('an end of a region that is meant by an address in its middle', async () => {
    const middle = address.replace(/[^:]*$/, '1000')
    await refused(`unreserve ${middle}`, 1, 'invalid-argument', new RegExp(`begins at ${address}`))
  })

  test('more input than the region has room for', async () => {
    await refused('write ADDR', 1, 'out-of-range', /65536 bytes/, 'x'.repeat(65_537))
  })

  test('more storage than the node has room for', async () => {
    const big = await output(['reserve', '1GiB'], { at: daemon.at })
    await refused(`allocate ${big}`, 1, 'no-space', /--disk/)
    await output(['unreserve', big], { at: daemon.at })
  })

  test('without a node to ask, and with one that is not there', async () => {
    assertRefused(await khazana(['nodes']), 2, 'invalid-argument', /--at ENDPOINT.*KHAZANA_AT/)
    const nobody = folder.in('nobody.sock')
    assertRefused(await khazana(['nodes', '--at', nobody]), 1, 'unreachable', /khazana node/)
  })

  test('garbage sent to its port does not disturb a node', async () => {
    const [host, port] = daemon.ready.listen.split(':')
    for (const garbage of [
      randomBytes(100_000),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.alloc(64),
      Buffer.alloc(64, 255),
    ]) {
      const socket = createConnection({ host: host ?? '', port: Number(port) })
      socket.on('error', () => undefined)
      socket.write(garbage)
      // What is no handshake ends the connection; a node need not wait for more of it.
      socket.resume()
      await new Promise((resolve) => socket.on('close', resolve))
    }
    assert.equal(await output(['read', address, '--length', '1'], { at: daemon.at }), '\0')
    assert.doesNotMatch(daemon.log, / error /)
  })
})
