import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { KhazanaError } from '../../stdx/errors.js'
import { errnoName } from '../errno.js'
import type { SystemCalls } from './system-calls.js'

const program = 'fusermount3'
const unixDomain = 1
const stream = 1
const closeOnExec = 0o2000000
const doNotWait = 0x40
const receiveCloseOnExec = 0x4000_0000
const setStatusFlags = 4
/** Bytes of struct cmsghdr, after which the descriptor stands. */
const controlHeaderBytes = 16

/**
 * Mounts as an ordinary user: the set-user-id helper opens the device, mounts, and sends the descriptor back as
 * ancillary data over the socket named in `_FUSE_COMMFD`. Gives the descriptor of the device, which the caller closes.
 */
export async function mountByFusermount(path: string, options: string, calls: SystemCalls): Promise<number> {
  const pair = new Int32Array(2)
  const made = calls.socketpair(unixDomain, stream | closeOnExec, 0, new Uint8Array(pair.buffer))
  const [ours, theirs] = pair
  if (made !== 0 || ours === undefined || theirs === undefined) {
    throw new KhazanaError('unsupported', `no pair of sockets: ${errnoName(calls.lastErrno())}`)
  }
  try {
    await runFusermount(['-o', options, '--', path], theirs)
    // It has ended well, so its message is there.
    return receiveDescriptor(ours, calls)
  } finally {
    fs.closeSync(ours)
    fs.closeSync(theirs)
  }
}

/** Throws `unsupported` where the helper is missing or refuses, with what it says. */
export async function runFusermount(options: readonly string[], socket?: number): Promise<void> {
  const child = spawn(program, options, {
    stdio: ['ignore', 'ignore', 'pipe', ...(socket === undefined ? [] : [socket])],
    env: { ...process.env, _FUSE_COMMFD: '3' },
  })
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, 4096)
  })
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (cause) => {
      reject(
        new KhazanaError(
          'unsupported',
          `only root mounts without ${program}, which cannot be run: install fuse3`,
          { cause },
        ),
      )
    })
    child.once('close', resolve)
  })
  if (status !== 0) throw new KhazanaError('unsupported', `${program} refused: ${said.trim()}`)
}

function receiveDescriptor(socket: number, calls: SystemCalls): number {
  const control = new Uint8Array(64)
  const header = {
    name: null,
    nameLength: 0,
    pieces: [{ base: new Uint8Array(8), length: 1 }],
    pieceCount: 1,
    control,
    controlLength: control.length,
    flags: 0,
  }
  if (calls.recvmsg(socket, header, doNotWait | receiveCloseOnExec) < 0) {
    throw new KhazanaError('unsupported', `${program} sent no descriptor: ${errnoName(calls.lastErrno())}`)
  }
  const fd = new DataView(control.buffer).getInt32(controlHeaderBytes, true)
  if (fd <= 2) throw new KhazanaError('unsupported', `${program} sent no descriptor`)
  // The helper opens the device for reads that block, and ours are on the main thread.
  if (calls.fcntl(fd, setStatusFlags, fs.constants.O_RDWR | fs.constants.O_NONBLOCK) !== 0) {
    const errno = calls.lastErrno()
    fs.closeSync(fd)
    throw new KhazanaError('unsupported', `the device cannot be read without blocking: ${errnoName(errno)}`)
  }
  return fd
}
