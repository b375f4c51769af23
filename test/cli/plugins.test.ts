import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { presets } from '../../src/address/consistency-vector.js'
import { bin, khazana, output } from './command.js'
import { Daemon, TemporaryFolder } from './daemon.js'

const crewUrl = pathToFileURL(resolve('dist/src/consistency/crew/crew.js')).href

/** A protocol under another name, for regions of which no more is used than their attributes. */
const protocolText = `
  import { crew } from ${JSON.stringify(crewUrl)}
  const codec = { encode: () => new Uint8Array(), decode: () => ({}) }
  export const protocols = ['mine', 'bounded'].map((name) => ({ ...crew, name, codec }))
  export const conflictTests = { 'by-row': (a, b) => a.tag === b.tag }`

describe('plug-ins of a node', () => {
  let folder: TemporaryFolder
  let daemon: Daemon
  let modules: readonly string[] = []
  before(async () => {
    folder = await TemporaryFolder.make()
    await writeFile(folder.in('mine.mjs'), protocolText)
    await writeFile(folder.in('sum.cjs'), 'module.exports = { mergeFunctions: { sum: (mine) => mine } }')
    modules = ['--plugin', folder.in('mine.mjs'), '--plugin', folder.in('sum.cjs')]
    daemon = await Daemon.start(folder.in('a'), modules)
  })
  after(async () => {
    await daemon[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  const ask = (line: string): Promise<string> => output(line.split(' '), { at: daemon.at })

  test('are named by regions, and shown by attributes and stat', async () => {
    const settings = '--staleness-ms 200 --staleness-versions 5 --failure read-only --isolation live'
    const address = await ask(`reserve 4KiB --consistency bounded ${settings} --conflicts by-row`)
    const lines = [
      'consistency=bounded',
      'staleness-ms=200',
      'staleness-versions=5',
      'failure=read-only',
      'isolation=live',
      'conflicts=by-row',
    ]
    const shown = await ask(`attributes ${address}`)
    assert.deepEqual(shown.split('\n'), ['protocol=bounded', ...lines, 'min-replicas=1'])
    const stat = await ask(`stat ${address}`)
    assert.ok(stat.includes(`\n${lines.join(' ').replaceAll('=', ' ')}\nprotocol bounded,`), stat)
    const { attributes } = JSON.parse(await ask(`stat ${address} --json`)) as { attributes: unknown }
    assert.deepEqual(attributes, {
      protocol: 'bounded',
      consistency: {
        ...presets.bounded,
        staleness: { ms: 200, versions: 5 },
        failure: 'read-only',
        isolation: 'live',
      },
      conflicts: 'by-row',
      merge: '',
      minReplicas: 1,
      labels: {},
    })
    // What is shown can be set.
    const other = await ask('reserve 4KiB')
    assert.equal(await ask(`attributes ${other} --set protocol=bounded ${lines.join(' ')}`), shown)
  })

  test('change setting by setting', async () => {
    const address = await ask('reserve 4KiB --protocol mine --merge sum')
    const shown = await ask(`attributes ${address}`)
    assert.equal(shown, 'protocol=mine\nconsistency=strict\nmerge=sum\nmin-replicas=1')
    const set = (settings: string): Promise<string> => ask(`attributes ${address} --set ${settings}`)
    assert.equal(await set('merge= consistency=strict'), 'protocol=crew\nconsistency=strict\nmin-replicas=1')
    assert.match(await set('consistency=bounded'), /staleness-ms=1000\nstaleness-versions=none\n/)
    assert.match(await set('staleness-versions=3'), /staleness-ms=1000\nstaleness-versions=3\n/)
    assert.match(await set('staleness-ms=none'), /staleness-ms=none\nstaleness-versions=3\n/)
    const { consistency } = JSON.parse(await ask(`attributes ${address} --json`)) as { consistency: unknown }
    assert.deepEqual(consistency, { ...presets.bounded, staleness: { ms: null, versions: 3 } })
  })

  test('that are gone after a restart leave their regions refused in words, and all else as it is', async () => {
    const node = await Daemon.start(folder.in('b'), modules)
    const address = await output(['reserve', '4KiB', '--protocol', 'mine'], { at: node.at })
    await output(['allocate', address], { at: node.at })
    await node.end('SIGTERM')
    await using bare = await Daemon.start(folder.in('b'))
    assert.match(bare.log, /regions homed here cannot be used .*no protocol \\?"mine\\?"/)
    const refusal = /^khazana: unsupported: no protocol "mine" is registered (in this client|on this node)/
    // A client that has it, finds a home that has not.
    for (const plugins of [[], modules]) {
      const { status, stderr } = await khazana(['read', address, ...plugins], { at: bare.at })
      assert.equal(status, 1)
      assert.match(stderr, refusal)
    }
    assert.match(await output(['stat', address], { at: bare.at }), /^protocol mine/m)
    const file = await output(['put', '-'], { at: bare.at, input: 'still works' })
    assert.equal(await output(['get', file], { at: bare.at }), 'still works')
  })

  test('are packages, too, that are installed where the command runs', async () => {
    const home = folder.in('node_modules', 'khazana-rows')
    await mkdir(home, { recursive: true })
    await writeFile(
      `${home}/package.json`,
      '{ "name": "khazana-rows", "type": "module", "main": "./rows.js" }',
    )
    await writeFile(`${home}/rows.js`, 'export const conflictTests = { rows: () => true }')
    const outcome = await khazana(['node', '--dir', folder.in('a'), '--plugin', 'khazana-rows'], {
      cwd: folder.path,
    })
    // It was found: the directory is what stands in the way.
    assert.match(outcome.stderr, /^khazana: directory-in-use: /)
  })

  async function refuses(command: readonly string[], module: string, words: RegExp): Promise<void> {
    const args = [...command, '--dir', folder.in('new'), ...modules, '--plugin', module]
    const { status, stderr, stdout } = await khazana(args)
    assert.equal(status, 1, stderr)
    assert.equal(stdout.length, 0)
    assert.match(stderr, /^khazana: invalid-argument: [^\n]*\n$/)
    assert.match(stderr, words)
    assert.equal(existsSync(folder.in('new')), false)
  }

  test('that are none end the command before anything is done', async () => {
    const write = async (name: string, text: string): Promise<string> => {
      await writeFile(folder.in(name), text)
      return folder.in(name)
    }
    for (const [module, words] of [
      [folder.in('nowhere.mjs'), /no plugin ".*nowhere\.mjs".*: there is no file/],
      ['no-such-package', /no plugin "no-such-package": there is no file .*, nor a package of that name/],
      [
        await write('empty.mjs', 'export const x = 1'),
        /exports none of protocols, conflictTests, mergeFunctions/,
      ],
      [await write('broken.mjs', 'export const = 1'), /cannot be loaded: /],
      [await write('asks.mjs', 'import "no-such-package"'), /cannot be loaded: .*no-such-package/],
      [
        await write('shape.mjs', 'export const protocols = [{ name: "x" }]'),
        /shape\.mjs is none: the protocol "x" has/,
      ],
      [
        await write('again.mjs', 'export const mergeFunctions = { sum() {} }'),
        /has "sum", as an earlier one has/,
      ],
    ] as const) {
      await refuses(['node'], module, words)
    }
    await refuses(['cluster', '--nodes', '2'], folder.in('nowhere.mjs'), /no plugin/)
  })
})

test('the nodes of a cluster have its plug-ins', async () => {
  await using folder = await TemporaryFolder.make()
  await writeFile(folder.in('mine.mjs'), protocolText)
  const args = ['--nodes', '2', '--dir', folder.in('c'), '--plugin', './mine.mjs']
  const child = spawn(process.execPath, [bin, 'cluster', ...args], {
    cwd: folder.path,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    await once(createInterface({ input: child.stdout }), 'line')
    for (const name of ['node-1', 'node-2']) {
      const at = folder.in('c', name)
      assert.match(await output(['reserve', '4KiB', '--protocol', 'mine', '--at', at]), /^[0-9a-f:]+$/)
    }
  } finally {
    child.kill('SIGTERM')
    await once(child, 'close')
  }
})
