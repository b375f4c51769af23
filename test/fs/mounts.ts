import type { Address } from '../../src/address/address.js'
import { Khazana } from '../../src/client/khazana.js'
import type { FileAttributes } from '../../src/fs/attributes.js'
import type { FsEnvironment } from '../../src/fs/environment.js'
import { FileSystem } from '../../src/fs/file-system.js'
import type { MountOptions } from '../../src/fs/file-system.js'
import type { NewFile } from '../../src/fs/operations/create.js'
import { Prng } from '../../src/stdx/prng.js'
import type { NodeOptions } from '../../src/node/node-options.js'
import { NodeCluster } from '../node/node-cluster.js'

const MiB = 1024 * 1024
const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const bytesOf = (text: string): Uint8Array => encoder.encode(text)
export const textOf = (bytes: Uint8Array): string => decoder.decode(bytes)

/** A cluster whose nodes have room for a file system. */
export function fsCluster(
  nodes: number,
  seed = 1,
  more: Partial<NodeOptions> = {},
  wallClockMsMax?: number,
): NodeCluster {
  return new NodeCluster({
    ...{ nodes, seed, wallClockMsMax },
    more: () => ({
      memoryBytesMax: 64 * MiB,
      diskBytesMax: 256 * MiB,
      storeLimits: { segmentBytes: 4 * MiB, pageBytesMax: 64 * 1024 },
      ...more,
    }),
  })
}

/** What a file system needs of the simulated world. Warnings are kept. */
export function simEnvironment(cluster: NodeCluster, warnings: string[] = [], seed = 1): FsEnvironment {
  const random = Prng.fromSeed(seed)
  return {
    now: () => {
      const ms = 1_700_000_000_000 + cluster.now()
      return { seconds: Math.floor(ms / 1000), nanoseconds: Math.floor((ms % 1000) * 1_000_000) }
    },
    after: (ms, callback) => {
      let isOver = false
      void cluster.pause(ms).then(() => {
        if (!isOver) callback()
      })
      return () => {
        isOver = true
      }
    },
    randomBytes: (count) => Uint8Array.from(random.bytes(count)),
    warn: (message, reason) => {
      warnings.push(`${message}: ${String(reason)}`)
    },
  }
}

export async function mountAt(
  cluster: NodeCluster,
  node: number,
  address: Address,
  options: MountOptions = {},
  warnings: string[] = [],
): Promise<FileSystem> {
  return FileSystem.mount(
    new Khazana(cluster.node(node)),
    simEnvironment(cluster, warnings, node),
    address,
    options,
  )
}

/** A new file system, mounted at node 1. */
export async function makeAndMount(
  cluster: NodeCluster,
  options: MountOptions = {},
): Promise<{ address: Address; fs: FileSystem }> {
  const address = await FileSystem.make(new Khazana(cluster.node(1)), simEnvironment(cluster))
  return { address, fs: await mountAt(cluster, 1, address, options) }
}

export const plainFile: NewFile = { kind: 'file', mode: 0o644, uid: 1000, gid: 1000 }
export const plainDirectory: NewFile = { kind: 'directory', mode: 0o755, uid: 1000, gid: 1000 }

/** All names of a directory, in the order of listing. */
export async function namesIn(fs: FileSystem, directory: Address): Promise<string[]> {
  const names: string[] = []
  for (let behind = -1; ;) {
    const entries = await fs.list(directory, behind)
    const last = entries.at(-1)
    if (last === undefined) return names
    names.push(...entries.map(({ name }) => textOf(name)))
    behind = last.position
  }
}

/** What a path means, name by name. */
export async function walk(fs: FileSystem, path: string): Promise<FileAttributes> {
  let at = await fs.attributes(fs.root)
  for (const name of path.split('/').filter((one) => one !== ''))
    at = await fs.lookup(at.address, bytesOf(name))
  return at
}
