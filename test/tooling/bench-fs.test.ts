import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cannotMount } from '../fuse/khazana-mounts.js'

const main = fileURLToPath(new URL('../../bench/fs/main.js', import.meta.url))
const bench = promisify(execFile)

interface Figures {
  readonly median: number
  readonly samples: readonly number[]
}

interface Document {
  readonly amount: string
  readonly exerciser: string
  readonly peersSource: string
  readonly rows: readonly {
    readonly name: string
    readonly unit: '/s' | 'MiB/s' | 's' | 'ms'
    readonly mount: Figures
    readonly plain: Figures
    readonly timesSlower: number
    readonly peers: unknown
    readonly bestPeer: { readonly system: string; readonly timesSlower: number } | null
  }[]
  readonly unmeasured: readonly { readonly name: string; readonly how: string; readonly reason: string }[]
}

/** Rows that need neither fio nor git nor sqlite3. */
const everywhere = [
  ...['create', 'stat', 'list', 'rename', 'unlink', 'create-sync'],
  ...['visible', 'visible-p99', 'name-exchange', 'lock-alone', 'lock-hand-over', 'lock-counter'],
]

/** Two directories, one as a mount, which has something in it that is not the benchmark's. */
async function grounds(context: TestContext): Promise<{ readonly mount: string; readonly plain: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'khazana-bench-fs-test-'))
  context.after(() => rm(folder, { recursive: true }))
  const [mount, plain] = [join(folder, 'mount'), join(folder, 'plain')]
  for (const directory of [mount, plain]) await mkdir(directory)
  await writeFile(join(mount, 'of-somebody'), '')
  return { mount, plain }
}

async function assertAsBefore({
  mount,
  plain,
}: {
  readonly mount: string
  readonly plain: string
}): Promise<void> {
  assert.deepEqual(await readdir(mount), ['of-somebody'])
  assert.deepEqual(await readdir(plain), [])
}

/** A `PATH` with these programs alone, of those that are installed. */
async function pathOf(context: TestContext, programs: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'khazana-bench-fs-path-'))
  context.after(() => rm(folder, { recursive: true }))
  const places = (process.env['PATH'] ?? '').split(delimiter).filter((place) => place !== '')
  for (const program of programs) {
    for (const place of places) {
      if (!(await readdir(place).catch((): string[] => [])).includes(program)) continue
      await symlink(join(place, program), join(folder, program))
      break
    }
  }
  return folder
}

test('two plain directories are measured in every row, and left as they were', async (context) => {
  const places = await grounds(context)
  const { mount, plain } = places
  const args = [
    main,
    '--quick',
    '--rounds',
    '2',
    '--json',
    '--mount',
    mount,
    '--other',
    mount,
    '--plain',
    plain,
  ]
  const { stdout, stderr } = await bench(process.execPath, args)
  const { amount, rows, unmeasured, peersSource } = JSON.parse(stdout) as Document
  assert.equal(stderr, '')
  assert.equal(amount, 'quick')
  assert.match(peersSource, /not measured in this run/)
  const names = rows.map(({ name }) => name)
  assert.deepEqual(
    everywhere.filter((name) => !names.includes(name)),
    [],
  )
  // Programs may be missing here; nothing else keeps a row from being measured.
  for (const { name, how, reason } of unmeasured) {
    assert.match(`${how} ${reason}`, /^skipped \w+ is not installed$/, name)
  }
  for (const { name, unit, mount, plain, timesSlower } of rows) {
    for (const { median, samples } of [mount, plain]) {
      assert.equal(samples.length, 2, name)
      assert.ok(
        samples.every((sample) => sample > 0 && Number.isFinite(sample)),
        `${name}: ${samples.join(', ')}`,
      )
      assert.ok(median >= Math.min(...samples) && median <= Math.max(...samples), name)
    }
    const lessIsBetter = unit === 's' || unit === 'ms'
    const expected = lessIsBetter ? mount.median / plain.median : plain.median / mount.median
    assert.equal(timesSlower, expected, name)
  }
  // Held against another system's own plain directory: 11,000 files a second, of which MooseFS made 2,600.
  const create = rows.find(({ name }) => name === 'create')
  assert.deepEqual(create?.bestPeer, { system: 'MooseFS', timesSlower: 11_000 / 2600 })
  // Seconds for another amount are not held against anybody's.
  assert.equal(rows.find(({ name }) => name === 'untar')?.peers ?? null, null)
  await assertAsBefore(places)
})

test('without fio, git and sqlite3 the bench reads and writes itself, and tells what it leaves out', async (context) => {
  const places = await grounds(context)
  const names = 'sequential-write,random-read-cold-8,random-read-warm,sync-write,git-commit,sqlite'
  const args = [main, '--quick', '--json', '--rows', names, '--mount', places.mount, '--plain', places.plain]
  const env = { ...process.env, PATH: await pathOf(context, ['tar']) }
  const { exerciser, rows, unmeasured } = JSON.parse(
    (await bench(process.execPath, args, { env })).stdout,
  ) as Document
  assert.match(exerciser, /own processes/)
  assert.deepEqual(
    rows.map(({ name }) => name),
    ['sequential-write', 'random-read-cold-8', 'random-read-warm', 'sync-write'],
  )
  assert.ok(rows.every(({ mount, plain }) => mount.median > 0 && plain.median > 0))
  assert.deepEqual(unmeasured, [
    { name: 'git-commit', how: 'skipped', reason: 'git is not installed' },
    { name: 'sqlite', how: 'skipped', reason: 'sqlite3 is not installed' },
  ])
  await assertAsBefore(places)
})

test('one mount has the rows of one mount, and the table says what the others need', async (context) => {
  const places = await grounds(context)
  const args = [main, '--quick', '--rows', 'create,visible', '--mount', places.mount, '--plain', places.plain]
  const { stdout } = await bench(process.execPath, args)
  assert.match(
    stdout,
    /^create +\/s +[\d.]+( k)? +[\d.]+( k)? +[\d.]+ +4\.23 \(MooseFS\) +900 +430 +2600 +1000$/m,
  )
  assert.match(stdout, /^SKIPPED visible: needs a second mount: give --other$/m)
})

test('a row that fails is told of, fails the run, and does not keep the others', async (context) => {
  const places = await grounds(context)
  const folder = await pathOf(context, [])
  await writeFile(join(folder, 'sqlite3'), '#!/bin/sh\necho out of order >&2\nexit 3\n')
  await chmod(join(folder, 'sqlite3'), 0o755)
  const args = [main, '--quick', '--rows', 'create,sqlite,lock-alone']
  const env = { ...process.env, PATH: folder }
  const running = bench(process.execPath, [...args, '--mount', places.mount, '--plain', places.plain], {
    env,
  })
  await assert.rejects(running, (error: unknown) => {
    const { code, stdout } = error as { readonly code: number; readonly stdout: string }
    assert.equal(code, 1)
    assert.match(stdout, /^FAILED sqlite: at the mount, round 1: .* ends with 3: out of order$/m)
    assert.match(stdout, /^create /m)
    assert.match(stdout, /^lock-alone /m)
    return true
  })
  await assertAsBefore(places)
})

test('an interrupted benchmark of a file system leaves nothing behind', async (context) => {
  const places = await grounds(context)
  const { mount, plain } = places
  const running = bench(process.execPath, [main, '--mount', mount, '--other', mount, '--plain', plain])
  while ((await readdir(mount)).length < 2) await setTimeout(20)
  await setTimeout(500)
  running.child.kill('SIGTERM')
  await assert.rejects(running, { code: 130 })
  await assertAsBefore(places)
})

test('nodes and mounts are started for the run, and end with it', { skip: cannotMount }, async (context) => {
  const { plain } = await grounds(context)
  const args = [main, '--quick', '--json', '--rows', 'create,visible', '--plain', plain]
  const { stdout, stderr } = await bench(process.execPath, args)
  const { rows, unmeasured } = JSON.parse(stdout) as Document
  assert.deepEqual(unmeasured, [])
  assert.deepEqual(
    rows.map(({ name }) => name),
    ['create', 'visible'],
  )
  assert.equal(stderr, '')
  assert.deepEqual(await readdir(plain), [])
})

test('rows and options that do not exist are refused', async () => {
  for (const [args, message] of [
    [['--rows', 'nothing'], /no row "nothing"; there are sequential-write, /],
    [['--other', '/tmp'], /--other goes with --mount/],
    [['--mount', '/tmp', '--min-replicas', '2'], /--min-replicas is for the file system that is made/],
    [['--min-replicas', '8'], /--min-replicas takes a whole number from 1 to 7, not "8"/],
  ] as const) {
    await assert.rejects(bench(process.execPath, [main, ...args]), (error: unknown) => {
      const { code, stderr } = error as { readonly code: number; readonly stderr: string }
      assert.equal(code, 2)
      assert.match(stderr, message)
      return true
    })
  }
})
