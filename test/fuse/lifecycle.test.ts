import assert from 'node:assert/strict'
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { mountByFusermount, runFusermount } from '../../src/fuse/device/fusermount.js'
import { loadSystemCalls } from '../../src/fuse/device/system-calls.js'
import { errnoNumbers } from '../../src/fuse/errno.js'
import { decodeRequest } from '../../src/fuse/protocol/decode.js'
import { transferBytesMax } from '../../src/fuse/protocol/negotiate.js'
import { FuseServer } from '../../src/fuse/server/fuse-server.js'
import { silentLogger } from '../../src/io/logger.js'
import { MemoryFileSystem } from './memory-file-system.js'
import { cannotMount } from './khazana-mounts.js'
import { mountMemory, mountPoint, shell } from './mounted.js'

const daemon = fileURLToPath(new URL('./memory-daemon.js', import.meta.url))
const skip = cannotMount
const cannotFusermount = fs.existsSync('/usr/bin/fusermount3')
  ? cannotMount
  : 'SKIPPED: fusermount3 is not installed, so mounting as an ordinary user is not tested'

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 500; turn++) {
    if (await isSo()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.fail(`not within five seconds: ${what}`)
}

function mountsAt(folder: string): number {
  return fs
    .readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.split(' ')[1] === folder).length
}

test('a reader that is interrupted ends, and the operation hears of it', { skip }, async () => {
  const mount = await mountMemory({ reads: 'direct' })
  try {
    await shell(mount.path, 'echo x > hangs')
    const reader = spawn('cat', [path.join(mount.path, 'hangs')], { stdio: 'ignore' })
    const exit = once(reader, 'exit')
    await until('the read is here', () => mount.files.counts.read > 0)
    reader.kill('SIGINT')
    assert.deepEqual(await exit, [null, 'SIGINT'])
    assert.equal(mount.files.counts.interrupted, 1)
    assert.equal(await shell(mount.path, 'echo y > other; cat other'), 'y\n')
  } finally {
    await mount.release()
  }
})

test('a lock that waits ends with its process', { skip }, async () => {
  const mount = await mountMemory()
  try {
    const said = await shell(
      mount.path,
      `: > l; exec 3< l; flock 3; flock l echo never & sleep 0.3; kill -INT $! || true; kill -TERM $!; wait $! || echo ended`,
    )
    assert.equal(said, 'ended\n')
  } finally {
    await mount.release()
  }
})

test('umount ends the server', { skip }, async () => {
  const folder = mountPoint()
  const server = await FuseServer.mount({
    path: folder,
    operations: new MemoryFileSystem({ reads: 'cached', answers: 'at-once' }),
    logger: silentLogger,
  })
  await shell('/', `umount '${folder}'`)
  await server.closed
  assert.equal(mountsAt(folder), 0)
  await assert.rejects(server.notify({ kind: 'inode', node: 1, offset: 0, length: 0 }), { code: 'closed' })
  await server.unmount()
  fs.rmdirSync(folder)
})

test('unmounting while files are open ends reads that hang', { skip }, async () => {
  const mount = await mountMemory({ reads: 'direct' })
  await shell(mount.path, 'echo x > hangs')
  const reader = spawn('cat', [path.join(mount.path, 'hangs')], { stdio: 'ignore' })
  const exit = once(reader, 'exit')
  await until('the read is here', () => mount.files.counts.read > 0)
  await mount.release()
  assert.deepEqual(await exit, [1, null])
})

test('a daemon that is killed leaves a dead mount, which the next mount clears away', { skip }, async () => {
  const folder = mountPoint()
  const child = spawn(process.execPath, [daemon, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await exit
  await assert.rejects(fs.promises.stat(folder), { code: 'ENOTCONN' })
  const server = await FuseServer.mount({
    path: folder,
    operations: new MemoryFileSystem({ reads: 'cached', answers: 'at-once' }),
    logger: silentLogger,
  })
  try {
    assert.equal(mountsAt(folder), 1)
    assert.equal(await shell(folder, 'echo x > y; cat y'), 'x\n')
  } finally {
    await server.unmount()
  }
  assert.equal(mountsAt(folder), 0)
  fs.rmdirSync(folder)
})

test('what cannot be mounted upon is said clearly', { skip }, async () => {
  const folder = mountPoint()
  const file = path.join(folder, 'file')
  fs.writeFileSync(file, '')
  const options = { operations: {}, logger: silentLogger }
  await assert.rejects(FuseServer.mount({ ...options, path: file }), {
    code: 'invalid-argument',
    message: /not a directory/,
  })
  await assert.rejects(FuseServer.mount({ ...options, path: path.join(folder, 'none') }), {
    code: 'invalid-argument',
  })
  fs.rmSync(folder, { recursive: true })
})

test('a file system of no operations answers ENOSYS and can be unmounted', { skip }, async () => {
  const folder = mountPoint()
  const server = await FuseServer.mount({ path: folder, operations: {}, logger: silentLogger })
  await assert.rejects(shell('/', `ls '${folder}'`), /Function not implemented/)
  await server.unmount()
  fs.rmdirSync(folder)
})

test(
  'fusermount3 mounts and hands over the device, which is read without blocking',
  { skip: cannotFusermount },
  async () => {
    const folder = mountPoint()
    const calls = loadSystemCalls()
    const fd = await mountByFusermount(folder, 'fsname=khazana,subtype=khazana', calls)
    assert.equal(fs.readlinkSync(`/proc/self/fd/${fd}`), '/dev/fuse')
    assert.equal(mountsAt(folder), 1)
    const buffer = new Uint8Array(transferBytesMax + 4096)
    await until('INIT is here', () => calls.read(fd, buffer, buffer.length) > 0)
    assert.equal(decodeRequest(buffer.subarray(0, 104)).op, 'init')
    assert.equal(calls.read(fd, buffer, buffer.length), -1)
    assert.equal(calls.lastErrno(), errnoNumbers.EAGAIN)
    await runFusermount(['-u', '-z', '--', folder])
    fs.closeSync(fd)
    assert.equal(mountsAt(folder), 0)
    fs.rmdirSync(folder)
  },
)

/** `nobody`: fusermount3 wants a name. */
const user = { uid: 65_534, gid: 65_534 }
const cannotBeUser = ((): string | false => {
  if (cannotFusermount !== false) return cannotFusermount
  if ((fs.statSync('/dev/fuse').mode & 0o006) !== 0o006)
    return 'SKIPPED: /dev/fuse is not for ordinary users here, so none of their mounts is tested'
  const { status } = spawnSync(process.execPath, ['--check', daemon], user)
  return status === 0
    ? false
    : 'SKIPPED: an ordinary user cannot read these files, so none of his mounts is tested'
})()

test('an ordinary user mounts for himself alone, and ends it', { skip: cannotBeUser }, async () => {
  const folder = mountPoint()
  fs.chownSync(folder, user.uid, user.gid)
  const child = spawn(process.execPath, [daemon, folder], { stdio: ['ignore', 'pipe', 'inherit'], ...user })
  const exit = once(child, 'exit')
  assert.equal(await Promise.race([once(child.stdout, 'data').then(String), exit]), 'ready\n')
  const options = fs.readFileSync('/proc/mounts', 'utf8').split('\n')
  assert.match(
    options.find((line) => line.includes(folder)) ?? '',
    / fuse\.khazana .*nosuid,nodev.*user_id=65534/,
  )
  const asUser = (script: string) =>
    promisify(execFile)('bash', ['-c', script, folder], { ...user, timeout: 10_000 })
  // The root of the file system in memory is root's, mode 0755.
  assert.equal((await asUser('stat -f -c %T "$0"; ls -A "$0" | wc -l')).stdout, 'fuseblk\n0\n')
  await assert.rejects(fs.promises.stat(folder), { code: 'EACCES' })
  await asUser('fusermount3 -u "$0"')
  assert.deepEqual(await exit, [0, null])
  assert.equal(mountsAt(folder), 0)
  fs.rmdirSync(folder)
})

test('an ordinary user without fusermount3 is told what is missing', { skip: cannotBeUser }, async () => {
  const folder = mountPoint()
  fs.chownSync(folder, user.uid, user.gid)
  const child = spawn(process.execPath, [daemon, folder], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: folder },
    ...user,
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  assert.deepEqual(await once(child, 'close'), [1, null])
  assert.match(said, /only root mounts without fusermount3, which cannot be run: install fuse3/)
  fs.rmdirSync(folder)
})

test(
  'notifications that are queued at the end are not written, and beyond the bound are refused',
  { skip },
  async () => {
    const mount = await mountMemory({}, { notificationsMax: 100 })
    const sent = Array.from({ length: 101 }, async () =>
      mount.server.notify({ kind: 'inode', node: 999, offset: 0, length: 0 }),
    )
    const outcomes = Promise.allSettled(sent)
    await mount.release()
    const codes = (await outcomes).map((each): unknown =>
      each.status === 'fulfilled' ? 'taken' : (each.reason as { code: unknown }).code,
    )
    assert.equal(codes[100], 'busy')
    assert(codes.slice(0, 100).every((code) => code === 'taken' || code === 'closed'))
  },
)
