/**
 * The same bytes in pieces of `chunkBytes`, but for the first, which has `firstBytes`, and the last, which has what is
 * left. Each piece is a new array that the taker owns.
 */
export async function* regroup(
  source: AsyncIterable<Uint8Array>,
  firstBytes: number,
  chunkBytes: number,
): AsyncGenerator<Uint8Array> {
  let chunk = new Uint8Array(firstBytes)
  let filled = 0
  for await (const bytes of source) {
    for (let taken = 0; taken < bytes.length;) {
      const part = bytes.subarray(taken, taken + chunk.length - filled)
      chunk.set(part, filled)
      filled += part.length
      taken += part.length
      if (filled < chunk.length) continue
      yield chunk
      chunk = new Uint8Array(chunkBytes)
      filled = 0
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled)
}
