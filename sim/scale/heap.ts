/** What the process has in use after all garbage is gone: `objects` in the heap, `buffers` outside of it. Bytes. */
export interface Heap {
  readonly objects: number
  readonly buffers: number
}

/** Undefined where the process was not started with `--expose-gc`. */
export function heapNow(): Heap | undefined {
  if (globalThis.gc === undefined) return undefined
  globalThis.gc()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return { objects: heapUsed, buffers: arrayBuffers }
}

/** What has come between the two, for each of so many. */
export function growthPer(count: number, before: Heap | undefined, after: Heap | undefined): Heap | undefined {
  if (before === undefined || after === undefined) return undefined
  return {
    objects: Math.round((after.objects - before.objects) / count),
    buffers: Math.round((after.buffers - before.buffers) / count),
  }
}
