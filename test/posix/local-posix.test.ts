import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { everyCapability } from './capabilities.js'
import { runPosixTests } from './run-posix-tests.js'

const isRoot = process.getuid?.() === 0
const needsRoot = 'the tests do not run as root'
const root = isRoot || needsRoot

/** What only root can have. */
const capabilities = { ...everyCapability, root, 'trusted-xattrs': root, devices: root } as const

let checked = 0
const onChecked = (count: number): void => {
  checked += count
}

function run(command: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
}

/** A folder with a directory `one`, and as root a second mount of it at `two`. */
describe('a directory of this machine', () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync('/var/tmp/posix-')
    mkdirSync(`${folder}/one`)
    mkdirSync(`${folder}/two`)
    if (isRoot) run('mount', '--bind', `${folder}/one`, `${folder}/two`)
  })
  after(() => {
    if (isRoot) run('umount', '--recursive', `${folder}/two`)
    rmSync(folder, { recursive: true })
  })
  runPosixTests({
    name: 'ext4',
    directory: () => `${folder}/one`,
    ...(isRoot && { otherDirectory: () => `${folder}/two` }),
    capabilities,
    onChecked,
  })
  it('has a second mount', { skip: isRoot ? false : `two mounts: ${needsRoot}` }, () => {
    assert.notEqual(folder, '')
  })
})

describe('a file system in memory', { skip: isRoot ? false : `mounting: ${needsRoot}` }, () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync('/var/tmp/posix-')
    mkdirSync(`${folder}/one`)
    mkdirSync(`${folder}/two`)
    run('mount', '-t', 'tmpfs', '-o', 'size=256m,mode=755', 'posix-test', `${folder}/one`)
    run('mount', '--bind', `${folder}/one`, `${folder}/two`)
  })
  after(() => {
    run('umount', '--recursive', `${folder}/two`)
    run('umount', '--recursive', `${folder}/one`)
    for (const name of ['one', 'two']) rmdirSync(`${folder}/${name}`)
    rmdirSync(folder)
  })
  runPosixTests({
    name: 'tmpfs',
    directory: () => `${folder}/one`,
    otherDirectory: () => `${folder}/two`,
    capabilities: {
      ...capabilities,
      'zero-range': 'tmpfs knows of fallocate(2) no more than KEEP_SIZE and PUNCH_HOLE (Linux, mm/shmem.c)',
      'collapse-range':
        'tmpfs knows of fallocate(2) no more than KEEP_SIZE and PUNCH_HOLE (Linux, mm/shmem.c)',
      'insert-range': 'tmpfs knows of fallocate(2) no more than KEEP_SIZE and PUNCH_HOLE (Linux, mm/shmem.c)',
    },
    onChecked,
  })
})

describe('the suite', () => {
  it('has checked what it is there for', (context) => {
    context.diagnostic(`${checked} checks`)
    assert.ok(checked > (isRoot ? 7_000 : 1_500), `only ${checked} checks`)
  })
})
