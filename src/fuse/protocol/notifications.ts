import { unreachable } from '../../stdx/assert.js'
import { setI64 } from './integers.js'

/** What a file system tells the kernel unasked. */
export type Notification =
  /** Forget attributes, and cached pages of the range; a length of 0 means to the end, an offset below 0 no pages. */
  | { readonly kind: 'inode'; readonly node: number; readonly offset: number; readonly length: number }
  /** Forget that the name leads where it leads (or to nothing). */
  | { readonly kind: 'entry'; readonly parent: number; readonly name: Uint8Array }
  /** As `entry`, but a directory in use, or mounted upon, is only looked up again. Needs a kernel that offers it. */
  | { readonly kind: 'expire'; readonly parent: number; readonly name: Uint8Array }
  /** The name is gone: who watches (inotify) is told, too. */
  | { readonly kind: 'delete'; readonly parent: number; readonly child: number; readonly name: Uint8Array }
  /**
   * All names that were told before are to be looked up again before they are used: as if each had expired. Takes no lock in the kernel and waits for nobody, whatever
   * requests are under way. Needs a kernel that offers it: `Offers.epochs`.
   */
  | { readonly kind: 'epoch' }

const codes = { inode: 2, entry: 3, expire: 3, delete: 6, epoch: 8 } as const
const expireOnly = 1

/** The bytes for one write to the device. */
export function encodeNotification(notification: Notification): Uint8Array {
  switch (notification.kind) {
    case 'inode': {
      const { bytes, view } = start(notification.kind, 24, undefined)
      setI64(view, 16, notification.node)
      setI64(view, 24, notification.offset)
      setI64(view, 32, notification.length)
      return bytes
    }
    case 'entry':
    case 'expire': {
      const { bytes, view, nameBytes } = start(notification.kind, 16, notification.name)
      setI64(view, 16, notification.parent)
      view.setUint32(24, nameBytes, true)
      view.setUint32(28, notification.kind === 'expire' ? expireOnly : 0, true)
      return bytes
    }
    case 'delete': {
      const { bytes, view, nameBytes } = start(notification.kind, 24, notification.name)
      setI64(view, 16, notification.parent)
      setI64(view, 24, notification.child)
      view.setUint32(32, nameBytes, true)
      return bytes
    }
    case 'epoch':
      return start(notification.kind, 0, undefined).bytes
    default:
      return unreachable(notification)
  }
}

/** A header with no `unique`, whose error field holds the code; the name at the end with its zero byte. */
function start(kind: Notification['kind'], fixedBytes: number, name: Uint8Array | undefined) {
  const nameBytes = name === undefined ? 0 : name.length
  const bytes = new Uint8Array(16 + fixedBytes + (name === undefined ? 0 : nameBytes + 1))
  const view = new DataView(bytes.buffer)
  view.setUint32(0, bytes.length, true)
  view.setInt32(4, codes[kind], true)
  if (name !== undefined) bytes.set(name, 16 + fixedBytes)
  return { bytes, view, nameBytes }
}
