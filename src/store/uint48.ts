/** Whole numbers to 2^48 - 1 in six bytes, little end first: sequence numbers, spaces, versions. */
export const uint48Max = 2 ** 48 - 1

export function getUint48(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint16(at + 4, true) * 2 ** 32
}

export function setUint48(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true)
  view.setUint16(at + 4, value / 2 ** 32, true)
}
