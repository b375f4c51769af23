import koffi from 'koffi'

/** What Node lacks of libc. Each gives -1 on failure, and `lastErrno` then says why. */
export interface SystemCalls {
  /** `pollfd` is one struct pollfd of 8 bytes. A `timeoutMs` of -1 waits for ever. */
  poll(pollfd: Uint8Array, count: number, timeoutMs: number): number
  read(fd: number, into: Uint8Array, length: number): number
  write(fd: number, from: Uint8Array, length: number): number
  mount(source: string, target: string, type: string, flags: number, data: string): number
  umount2(target: string, flags: number): number
  socketpair(domain: number, type: number, protocol: number, fds: Uint8Array): number
  /** `header` is a struct msghdr as an object: see `fusermount.ts`. */
  recvmsg(fd: number, header: unknown, flags: number): number
  fcntl(fd: number, command: number, argument: number): number
  lastErrno(): number
}

export const pollIn = 1

export function loadSystemCalls(): SystemCalls {
  const libc = koffi.load(null)
  const iovec = koffi.struct({ base: 'void *', length: 'size_t' })
  const header = koffi.struct({
    name: 'void *',
    nameLength: 'uint32_t',
    pieces: koffi.pointer(iovec),
    pieceCount: 'size_t',
    control: 'void *',
    controlLength: 'size_t',
    flags: 'int',
  })
  return {
    poll: libc.func('int poll(void *, unsigned long, int)'),
    read: libc.func('int64_t read(int, void *, size_t)'),
    write: libc.func('int64_t write(int, void *, size_t)'),
    mount: libc.func('int mount(const char *, const char *, const char *, unsigned long, const char *)'),
    umount2: libc.func('int umount2(const char *, int)'),
    socketpair: libc.func('int socketpair(int, int, int, void *)'),
    recvmsg: libc.func('recvmsg', 'int64_t', ['int', koffi.inout(koffi.pointer(header)), 'int']),
    // Declared with three arguments: Linux passes those of a variadic function as any others.
    fcntl: libc.func('int fcntl(int, int, int)'),
    lastErrno: () => koffi.errno(),
  }
}
