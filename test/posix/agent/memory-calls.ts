import type { Handles } from './handles.js'
import { checked, peekMemory, pointing, pokeMemory } from './libc.js'

const mmap = pointing('void *mmap(void *at, size_t length, int prot, int flags, int fd, int64_t offset)')
const munmap = checked('int munmap(void *at, size_t length)')
const msync = checked('int msync(void *at, size_t length, int flags)')

interface Mapping {
  readonly at: bigint
  readonly length: number
}

/** Memory that is mapped onto files. Touching what is not there kills the agent, as it would any program. */
// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types -- the table is its own type
export function memoryCalls(handles: Handles) {
  const mappings = new Map<number, Mapping>()
  const find = (handle: number): Mapping => {
    const mapping = mappings.get(handle)
    if (mapping === undefined) throw new Error(`no mapping ${handle}`)
    return mapping
  }
  return {
    mmap: (fd: number, length: number, prot: number, flags: number, offset = 0): number => {
      const at = mmap(null, length, prot, flags, fd, offset)
      if (at === undefined) throw new Error('mmap failed without errno')
      const handle = handles.hold(() => {
        mappings.delete(handle)
        munmap(at, length)
      })
      mappings.set(handle, { at, length })
      return handle
    },
    munmap: (handle: number): void => handles.release(handle),
    peek: (handle: number, offset: number, length: number): string =>
      peekMemory(find(handle).at + BigInt(offset), length).toString('latin1'),
    poke: (handle: number, offset: number, data: string): void =>
      pokeMemory(find(handle).at + BigInt(offset), Buffer.from(data, 'latin1')),
    msync: (handle: number, flags: number): void => void msync(find(handle).at, find(handle).length, flags),
  }
}
