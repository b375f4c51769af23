import koffi from 'koffi'

/** Calls to the operating system that Node has not. Each answers as the C function does; `lastErrno` tells why it failed. */
interface Libc {
  readonly mount: (source: string, target: string, type: string, flags: number, data: string) => number
  readonly umount2: (target: string, flags: number) => number
  /** Answers how many bytes, or -1 where there are none at this moment. */
  readonly read: (fd: number, into: Uint8Array, size: number) => number
  readonly poll: (fds: Uint8Array, count: number, timeoutMs: number) => number
}

const library = koffi.load(null)

export const libc: Libc = {
  mount: library.func('int mount(str, str, str, ulong, str)'),
  umount2: library.func('int umount2(str, int)'),
  read: library.func('long read(int, _Out_ void *, size_t)'),
  poll: library.func('int poll(_Inout_ void *, ulong, int)'),
}

export function lastErrno(): number {
  return koffi.errno()
}

/** The name of an error's number, as `ENOENT`. */
export function errnoName(number: number): string {
  return Object.entries(koffi.os.errno).find(([, each]) => each === number)?.[0] ?? `errno ${number}`
}
