/** A request of the kernel: unique 6, node 5, user 1000, group 100, process 4242. */
export function message(opcode: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(40 + body.length)
  bytes.set(fields('u32 u32 u64 u64 u32 u32 u32 u32', [bytes.length, opcode, 6, 5, 1000, 100, 4242, 0]))
  bytes.set(body, 40)
  return bytes
}

/** Little-endian integers of a layout such as 'u32 u64', and text behind them. */
export function fields(layout: string, values: readonly number[], text = ''): Uint8Array {
  const tail = new TextEncoder().encode(text)
  const kinds = layout.split(' ').filter((kind) => kind !== '')
  const length = kinds.reduce((sum, kind) => sum + (kind === 'u32' ? 4 : 8), 0)
  const bytes = new Uint8Array(length + tail.length)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const [index, kind] of kinds.entries()) {
    const value = values[index] ?? 0
    if (kind === 'u32') view.setUint32(at, value, true)
    else view.setBigInt64(at, BigInt(value), true)
    at += kind === 'u32' ? 4 : 8
  }
  bytes.set(tail, at)
  return bytes
}
