/**
 * 64-bit fields as numbers. Node numbers, handles, sizes and directory cookies are ours and stay below 2^53, so a
 * number holds them exactly and no BigInt is made per request. A field that is beyond is damage or a foreign number,
 * and reads as -1, which no such field can be: the decoder makes a malformed request of it.
 */
export function getU64(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true)
  return high < 0x200000 ? high * 0x1_0000_0000 + view.getUint32(at, true) : -1
}

/** A signed 64-bit number, such as the seconds of a time; held to what a number holds exactly. */
export function getI64(view: DataView, at: number): number {
  const value = view.getInt32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true)
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value))
}

/** Writes a safe integer, negative ones as two's complement. */
export function setI64(view: DataView, at: number, value: number): void {
  if (!Number.isSafeInteger(value)) throw new RangeError(`no exact 64-bit number: ${value}`)
  view.setUint32(at, value >>> 0, true)
  view.setInt32(at + 4, Math.floor(value / 0x1_0000_0000), true)
}
