import fs from 'node:fs'
import { KhazanaError } from '../../stdx/errors.js'
import { errnoName } from '../errno.js'
import { mountByFusermount, runFusermount } from './fusermount.js'
import { detachMount, prepareMountPoint } from './mount-point.js'
import type { SystemCalls } from './system-calls.js'

export interface MountOptions {
  readonly path: string
  /** Who may enter: only the user who mounts, or all (as an ordinary user, only where /etc/fuse.conf allows). */
  readonly access: 'owner' | 'all'
  /** Who checks modes and owners: the kernel (`default_permissions`), or the file system at each operation. */
  readonly permissions: 'kernel' | 'file-system'
  /** What set-id bits and device nodes are: as anywhere, or nothing. An ordinary user's mount honours neither. */
  readonly specials: 'honoured' | 'ignored'
  /** The longest read in one request, bytes. */
  readonly maxReadBytes: number
}

/** A mounted device: the descriptor is its owner's to close, which ends the mount. */
export interface Mounted {
  readonly fd: number
  /** Takes the mount out of the tree; at once, also where it is in use. Throws `unsupported`. */
  unmount(): Promise<void>
}

const source = 'khazana'
const noSetUserId = 2
const noDevices = 4

/**
 * Mounts a fresh connection at the folder; dead mounts there are cleared away first. Throws `invalid-argument` where
 * it is no directory, and `unsupported` where the machine has no /dev/fuse or does not allow it.
 */
export async function mountDevice(options: MountOptions, calls: SystemCalls): Promise<Mounted> {
  await prepareMountPoint(options.path, calls)
  const isRoot = process.getuid?.() === 0
  const shared = [
    ...(options.access === 'all' ? ['allow_other'] : []),
    ...(options.permissions === 'kernel' ? ['default_permissions'] : []),
  ]
  if (!isRoot) {
    const fd = await mountByFusermount(
      options.path,
      [...shared, `fsname=${source}`, `subtype=${source}`, `max_read=${options.maxReadBytes}`].join(','),
      calls,
    )
    return { fd, unmount: async () => runFusermount(['-u', '-z', '--', options.path]) }
  }
  const fd = openDevice()
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
  const data = [
    `fd=${fd}`,
    'rootmode=40000',
    `user_id=${uid}`,
    `group_id=${gid}`,
    `max_read=${options.maxReadBytes}`,
    ...shared,
  ].join(',')
  const flags = options.specials === 'honoured' ? 0 : noSetUserId | noDevices
  if (calls.mount(source, options.path, `fuse.${source}`, flags, data) !== 0) {
    const errno = calls.lastErrno()
    fs.closeSync(fd)
    throw new KhazanaError('unsupported', `mounting at ${options.path} is not allowed: ${errnoName(errno)}`)
  }
  return {
    fd,
    unmount: async () => {
      if (calls.umount2(options.path, 0) !== 0) await detachMount(options.path, calls)
    },
  }
}

function openDevice(): number {
  try {
    return fs.openSync('/dev/fuse', fs.constants.O_RDWR | fs.constants.O_NONBLOCK)
  } catch (cause) {
    throw new KhazanaError('unsupported', '/dev/fuse cannot be opened: is the fuse module there?', { cause })
  }
}
