import { chmod, link, lstat, mkdtemp, rm, rmdir, unlink } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { dirname, join } from 'node:path'
import { KhazanaError } from '../../stdx/errors.js'

/** The shortest limit of any system that this runs on; longer paths are cut silently by some. */
const pathBytesMax = 103
const probeMs = 1000

export interface BoundUnixSocket {
  /** Takes the socket's name away, if it is still this socket's. */
  remove(): Promise<void>
}

/**
 * Makes a unix socket that only its user can connect to, at no time anybody else: `bind` makes it in a new directory
 * that only the user may enter, and it gets its name when its mode is right. The name of a socket that nobody answers
 * is taken over. (The alternative, `umask`, would also fall on files that other threads make at that moment.) Throws
 * `address-in-use`, `invalid-argument`.
 */
export async function bindUnixSocket(
  path: string,
  bind: (path: string) => Promise<void>,
): Promise<BoundUnixSocket> {
  if (Buffer.byteLength(path) > pathBytesMax) {
    throw new KhazanaError('invalid-argument', `a socket's path has at most ${pathBytesMax} bytes: ${path}`)
  }
  const directory = await privateDirectory(path)
  const hidden = join(directory, 's')
  try {
    await bind(hidden)
    await chmod(hidden, 0o600)
    await takeName(hidden, path)
    const { ino } = await lstat(path)
    return { remove: () => removeName(path, ino) }
  } finally {
    await rm(hidden, { force: true })
    await rmdir(directory)
  }
}

async function privateDirectory(path: string): Promise<string> {
  try {
    // Of mode 0700.
    return await mkdtemp(join(dirname(path), '.s'))
  } catch (cause) {
    const { message } = KhazanaError.from(cause)
    throw new KhazanaError('invalid-argument', `cannot make a socket at ${path}: ${message}`, { cause })
  }
}

/** Never replaces a name by itself: of two processes that start at once, one is told. */
async function takeName(hidden: string, path: string): Promise<void> {
  try {
    await link(hidden, path)
  } catch (reason) {
    if (errnoOf(reason) !== 'EEXIST') throw KhazanaError.from(reason, 'invalid-argument')
    await removeStale(path)
    await link(hidden, path).catch((cause: unknown) => {
      throw new KhazanaError('address-in-use', `another process has just taken ${path}`, { cause })
    })
  }
}

async function removeStale(path: string): Promise<void> {
  const found = await lstat(path)
  if (!found.isSocket()) {
    throw new KhazanaError(
      'address-in-use',
      `${path} is there and no socket: remove it, or choose another path`,
    )
  }
  if (await isAnswered(path)) {
    throw new KhazanaError(
      'address-in-use',
      `another process listens on ${path}: stop it, or choose another path`,
    )
  }
  await removeName(path, found.ino)
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path, timeout: probeMs })
    const answer = (answered: boolean): void => {
      socket.destroy()
      resolve(answered)
    }
    socket.once('connect', () => answer(true))
    // A process that is too busy to take the connection is there.
    socket.once('timeout', () => answer(true))
    socket.once('error', (error) => answer(!['ECONNREFUSED', 'ENOENT'].includes(errnoOf(error) ?? '')))
  })
}

async function removeName(path: string, ino: number): Promise<void> {
  try {
    if ((await lstat(path)).ino === ino) await unlink(path)
  } catch (reason) {
    if (errnoOf(reason) !== 'ENOENT') throw KhazanaError.from(reason)
  }
}

function errnoOf(reason: unknown): string | undefined {
  return reason instanceof Error ? (reason as NodeJS.ErrnoException).code : undefined
}
