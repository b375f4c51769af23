import type { RegionDescriptor } from '../address/descriptor.js'
import { formatAddress } from '../address/address.js'
import { KhazanaError } from '../stdx/errors.js'

/** The exact length of what `put` stored, in bytes. Set last: a region without it holds no whole file. */
const lengthLabel = 'content-length'
const nameLabel = 'file-name'

export function contentLabels(bytes: number, name: string | undefined): Record<string, string> {
  return { [lengthLabel]: String(bytes), ...(name === undefined ? {} : { [nameLabel]: name }) }
}

/** Throws `invalid-argument` where the region holds no file. */
export function contentBytes({ address, size, attributes }: RegionDescriptor): number {
  const text = attributes.labels[lengthLabel]
  const bytes = text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : NaN
  if (bytes <= size) return bytes
  const start = formatAddress(address)
  throw new KhazanaError(
    'invalid-argument',
    text === undefined
      ? `the region ${start} holds no file that "khazana put" has stored to its end: use "khazana read"`
      : `the region ${start} has ${size} bytes and cannot hold a file of "${text}"`,
  )
}
