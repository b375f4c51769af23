import type { Prng } from '../../src/stdx/prng.js'

/** Which of the directories does it, and what. Offsets and lengths are in bytes. */
export type Operation = { readonly view: number } & (
  | {
      readonly kind: 'pread' | 'map-read' | 'punch' | 'zero'
      readonly offset: number
      readonly length: number
    }
  | {
      readonly kind: 'pwrite' | 'map-write'
      readonly offset: number
      readonly length: number
      readonly mark: number
    }
  | { readonly kind: 'write' | 'append'; readonly length: number; readonly mark: number }
  | { readonly kind: 'seek'; readonly offset: number }
  | { readonly kind: 'read'; readonly length: number }
  | { readonly kind: 'truncate' | 'ftruncate'; readonly size: number }
  | { readonly kind: 'copy'; readonly from: number; readonly to: number; readonly length: number }
  | { readonly kind: 'fsync' | 'reopen' | 'check' }
)

export type OperationKind = Operation['kind']

/** How often each is drawn, out of the sum of those that are allowed. */
const weights: Readonly<Record<OperationKind, number>> = {
  pread: 16,
  read: 8,
  seek: 3,
  pwrite: 16,
  write: 8,
  append: 6,
  'map-read': 8,
  'map-write': 8,
  truncate: 3,
  ftruncate: 4,
  punch: 5,
  zero: 4,
  copy: 4,
  fsync: 2,
  reopen: 2,
  check: 3,
}

export const operationKinds = Object.keys(weights) as readonly OperationKind[]

export interface DrawOptions {
  readonly kinds: readonly OperationKind[]
  readonly views: number
  /** The file is never longer. */
  readonly sizeMax: number
  /** Of the file as it is. */
  readonly size: number
  /** The number of the operation, from which its bytes are made. */
  readonly mark: number
}

function below(random: Prng, limit: number): number {
  return random.uint32() % Math.max(1, limit)
}

/** Mostly near borders of blocks, where mistakes live. */
function offsetBelow(random: Prng, limit: number): number {
  const offset = below(random, limit)
  if (random.uint32() % 2 === 0) return offset
  const border = offset - (offset % 4_096)
  return Math.min(Math.max(0, border + below(random, 5) - 2), Math.max(0, limit - 1))
}

function lengthUpTo(random: Prng, limit: number): number {
  const scale = [100, 5_000, 70_000][below(random, 3)] ?? 100
  return Math.min(1 + below(random, scale), limit)
}

function kindOf(random: Prng, kinds: readonly OperationKind[]): OperationKind {
  let left = below(
    random,
    kinds.reduce((sum, kind) => sum + weights[kind], 0),
  )
  for (const kind of kinds) {
    left -= weights[kind]
    if (left < 0) return kind
  }
  return 'check'
}

/** The next operation. One that would not fit becomes one that does. */
export function drawOperation(random: Prng, options: DrawOptions): Operation {
  const { sizeMax, size, mark } = options
  const view = below(random, options.views)
  const kind = kindOf(random, options.kinds)
  switch (kind) {
    case 'pread':
      return { view, kind, offset: offsetBelow(random, size + 5_000), length: lengthUpTo(random, sizeMax) }
    case 'read':
      return { view, kind, length: lengthUpTo(random, sizeMax) }
    case 'seek':
      return { view, kind, offset: offsetBelow(random, sizeMax) }
    case 'pwrite': {
      const offset = offsetBelow(random, Math.min(sizeMax, size + 20_000))
      return { view, kind, offset, length: lengthUpTo(random, sizeMax - offset), mark }
    }
    case 'write':
    case 'append':
      return { view, kind, length: lengthUpTo(random, sizeMax), mark }
    case 'map-read':
    case 'map-write': {
      if (size === 0) return { view, kind: 'check' }
      const offset = offsetBelow(random, size)
      const length = lengthUpTo(random, size - offset)
      return kind === 'map-read' ? { view, kind, offset, length } : { view, kind, offset, length, mark }
    }
    case 'truncate':
    case 'ftruncate':
      return { view, kind, size: offsetBelow(random, Math.min(sizeMax, size + 30_000)) }
    case 'punch':
    case 'zero': {
      const offset = offsetBelow(random, size + 1)
      return { view, kind, offset, length: Math.max(1, lengthUpTo(random, sizeMax - offset)) }
    }
    case 'copy': {
      const from = offsetBelow(random, size)
      const to = offsetBelow(random, sizeMax)
      const length = Math.min(lengthUpTo(random, sizeMax - to), Math.abs(from - to))
      return length === 0 ? { view, kind: 'check' } : { view, kind, from, to, length }
    }
    case 'fsync':
    case 'reopen':
    case 'check':
      return { view, kind }
  }
}

/** Bytes that tell which operation wrote them and where; never zero, which is what holes hold. */
export function bytesOf(mark: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++)
    bytes[i] = 1 + ((mark * 37 + (offset + i) * 11 + ((offset + i) >> 8)) % 255)
  return bytes
}
