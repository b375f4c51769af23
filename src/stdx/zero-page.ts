const zeroPages = new Map<number, Uint8Array>()

/**
 * The page of so many bytes that are all 0: one for the whole process, as it stands for every page that was never written. Nobody writes to it, or gives it to a pool of
 * buffers. Between sites it travels as a mark.
 */
export function zeroPage(bytes: number): Uint8Array {
  const known = zeroPages.get(bytes)
  if (known !== undefined) return known
  const made = new Uint8Array(bytes)
  zeroPages.set(bytes, made)
  return made
}

/** Whether it is that very page: others may be all 0, too. */
export function isZeroPage(bytes: Uint8Array): boolean {
  return zeroPages.get(bytes.length) === bytes
}
