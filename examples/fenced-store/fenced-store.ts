import type { Region } from 'khazana'

interface Row {
  readonly value: string
  readonly fence: bigint
}

/**
 * Stands for any system outside global memory that can compare two numbers before it writes: a table, an object store, a machine.
 * It knows nothing of locks, and it cannot be asked later whether a lock still held when a write came.
 */
export class FencedStore {
  readonly #rows = new Map<string, Row>()

  read(key: string): string | undefined {
    return this.#rows.get(key)?.value
  }

  /**
   * Writes, unless somebody has written to the key with a greater fence; answers whether it has. The same fence again is the same
   * holder, who may write more than once.
   */
  write(key: string, value: string, fence: bigint): boolean {
    const row = this.#rows.get(key)
    if (row !== undefined && row.fence > fence) return false
    this.#rows.set(key, { value, fence })
    return true
  }
}

/**
 * Runs the job while no other process runs one under the region's lock. The job gives the fence along with all that it writes
 * elsewhere.
 *
 * The lock may be lost meanwhile, where this process is stopped or cut off for longer than a lease, and the job goes on not knowing it:
 * nothing can prevent that, which is why the store must refuse it. Rejects with `context-broken` then, when the job has ended.
 */
export async function runAlone<T>(region: Region, job: (fence: bigint) => Promise<T>): Promise<T> {
  await using lock = await region.lock('write', { offset: 0, length: 1 })
  return await job(lock.fence)
}
