/** Numbers of 8 bytes that count no further than 2^53: without a BigInt on the way. Most significant byte first. */
export function getUint53(view: DataView, offset: number): number {
  return view.getUint32(offset) * 0x1_0000_0000 + view.getUint32(offset + 4)
}

export function setUint53(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, Math.floor(value / 0x1_0000_0000))
  view.setUint32(offset + 4, value % 0x1_0000_0000)
}

/** The same for numbers from -2^53 on. */
export function getInt53(view: DataView, offset: number): number {
  return view.getInt32(offset) * 0x1_0000_0000 + view.getUint32(offset + 4)
}

export function setInt53(view: DataView, offset: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000)
  view.setInt32(offset, high)
  view.setUint32(offset + 4, value - high * 0x1_0000_0000)
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
