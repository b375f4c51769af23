/**
 * What the process has in use after all garbage is gone, in the heap and in buffers beside it, less `elsewhereBytes`: buffers that
 * would not be memory in a real cluster. Undefined where the process was not started with `--expose-gc`. Bytes.
 */
export function memoryNow(elsewhereBytes: number): number | undefined {
  if (globalThis.gc === undefined) return undefined
  // Buffers found to be garbage are freed behind it, and all of them before the next begins.
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers - elsewhereBytes
}

/** What has come between the two, for each of so many. */
export function growthPer(
  count: number,
  before: number | undefined,
  after: number | undefined,
): number | undefined {
  return before === undefined || after === undefined ? undefined : Math.round((after - before) / count)
}
