import koffi from 'koffi'
import { errnoName, PosixError } from './posix-error.js'

/** What a foreign function takes. A pointer is a `bigint`, or the bytes that it shall point to. */
type Argument = number | bigint | Uint8Array | null

type Foreign = (...args: readonly Argument[]) => number | bigint | null

const library = koffi.load(null)

/**
 * A function of the C library that answers -1 with an `errno`; here it throws a `PosixError` instead. Variadic functions
 * (open, fcntl) are declared with their fixed arguments: on Linux for x86-64 and arm64 integers are passed alike.
 * `errno` is read before anything else can run on this thread.
 */
export function checked(definition: string): (...args: readonly Argument[]) => number {
  const call = checkedWide(definition)
  return (...args) => Number(call(...args))
}

/** As `checked`, for what may need all 64 bits. */
export function checkedWide(definition: string): (...args: readonly Argument[]) => bigint {
  const call = library.func(definition) as unknown as Foreign
  const name = nameIn(definition)
  return (...args) => {
    const result = call(...args)
    if (result === -1 || result === -1n) throw new PosixError(errnoName(koffi.errno()), name)
    return BigInt(result ?? 0)
  }
}

/** A function that answers its error number itself, as the posix_ family does. */
export function answeringErrno(definition: string): (...args: readonly Argument[]) => void {
  const call = library.func(definition) as unknown as Foreign
  const name = nameIn(definition)
  return (...args) => {
    const result = Number(call(...args))
    if (result !== 0) throw new PosixError(errnoName(result), name)
  }
}

/** A function that answers nothing. */
export function silent(definition: string): (...args: readonly Argument[]) => void {
  const call = library.func(definition) as unknown as Foreign
  return (...args) => void call(...args)
}

/** A function that answers a pointer: undefined is NULL without an `errno`. */
export function pointing(definition: string): (...args: readonly Argument[]) => bigint | undefined {
  const call = library.func(definition) as unknown as Foreign
  const name = nameIn(definition)
  return (...args) => {
    koffi.errno(0)
    const result = call(...args)
    const errno = koffi.errno()
    if (result !== null && BigInt(result) !== 0n && BigInt(result) !== mapFailed) return BigInt(result)
    if (errno !== 0) throw new PosixError(errnoName(errno), name)
    return undefined
  }
}

const mapFailed = 0xffff_ffff_ffff_ffffn

const memcpy = library.func('void *memcpy(void *to, void *from, size_t length)') as unknown as Foreign

/** Copies from memory to a new buffer. A copy, not a view: nobody is left with a view of what has been unmapped. */
export function peekMemory(address: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  memcpy(bytes, address, length)
  return bytes
}

export function pokeMemory(address: bigint, bytes: Uint8Array): void {
  memcpy(address, bytes, bytes.byteLength)
}

/** A C string. `text` has one character per byte (latin1), as everywhere between the suite and its agents. */
export function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'latin1')
}

function nameIn(definition: string): string {
  return /(\w+)\(/.exec(definition)?.[1] ?? definition
}
