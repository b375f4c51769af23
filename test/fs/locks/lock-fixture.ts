import assert from 'node:assert/strict'
import type { Address } from '../../../src/address/address.js'
import { FsError } from '../../../src/fs/errno.js'
import type { FileSystem } from '../../../src/fs/file-system.js'
import type { MountOptions } from '../../../src/fs/file-system.js'
import { lockEndMax } from '../../../src/fs/locks/file-lock.js'
import type { LockRequest } from '../../../src/fs/locks/mount-locks.js'
import type { NodeCluster } from '../../node/node-cluster.js'
import { bytesOf, fsCluster, makeAndMount, mountAt, plainFile } from '../mounts.js'

export interface Mounted {
  readonly cluster: NodeCluster
  readonly address: Address
  /** One at each node. */
  readonly mounts: readonly FileSystem[]
  readonly file: Address
  readonly warnings: string[]
  readonly mount: (number: number) => FileSystem
}

/** Runs with a file system that is mounted at so many nodes, and has a file. What it warns of fails the test, unless it is taken out of `warnings`. */
export async function withMounts(
  nodes: number,
  test: (mounted: Mounted) => Promise<void>,
  { seed = 1, options = {} }: { readonly seed?: number; readonly options?: MountOptions } = {},
): Promise<void> {
  const cluster = fsCluster(nodes, seed)
  await cluster.run(async () => {
    const warnings: string[] = []
    const { address, fs } = await makeAndMount(cluster, options)
    const mounts = [fs]
    for (let node = 2; node <= nodes; node++)
      mounts.push(await mountAt(cluster, node, address, options, warnings))
    const { address: file } = await fs.create(fs.root, bytesOf('file'), plainFile)
    const mount = (number: number): FileSystem => {
      const found = mounts[number - 1]
      assert.ok(found !== undefined)
      return found
    }
    await test({ cluster, address, mounts, file, warnings, mount })
    assert.deepEqual(warnings, [])
  })
}

export function posix(owner: number, type: 'read' | 'write', start = 0, end?: number): LockRequest {
  const last = end === undefined ? lockEndMax : BigInt(end)
  return { kind: 'posix', owner: BigInt(owner), type, start: BigInt(start), end: last, pid: 1000 + owner }
}

export function flock(owner: number, type: 'read' | 'write'): LockRequest {
  return { ...posix(owner, type), kind: 'flock' }
}

/** `done`, or the error's name. */
export async function outcome(run: () => unknown): Promise<string> {
  try {
    await run()
    return 'done'
  } catch (reason) {
    if (reason instanceof FsError) return reason.code
    throw reason
  }
}
