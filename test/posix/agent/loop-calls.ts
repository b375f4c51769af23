import { O } from '../flags.js'
import type { Handles } from './handles.js'
import { checked, cString } from './libc.js'

const open = checked('int open(const void *path, int flags, unsigned int mode)')
const read = checked('int64_t read(int fd, void *into, size_t length)')
const write = checked('int64_t write(int fd, void *from, size_t length)')
const pwrite = checked('int64_t pwrite(int fd, void *from, size_t length, int64_t offset)')
const rename = checked('int rename(const void *from, const void *to)')
const unlink = checked('int unlink(const void *path)')

/** Many calls in one, so that agents truly run at the same time. */
// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types -- the table is its own type
export function loopCalls(handles: Handles) {
  const make = (path: string, flags: number, text: string): void => {
    const fd = handles.opened(open(cString(path), O.WRONLY | O.CREAT | flags, 0o666))
    if (text !== '') write(fd, Buffer.from(text, 'latin1'), text.length)
    handles.close(fd)
  }
  return {
    /** Replaces the file by rename, `count` times, each time filled with one digit. */
    replaceMany: (path: string, length: number, count: number): void => {
      for (let i = 0; i < count; i++) {
        make(`${path}.new`, O.TRUNC, String(i % 10).repeat(length))
        rename(cString(`${path}.new`), cString(path))
      }
    },
    /** Opens and reads the file `count` times: what was seen, each once. A file that is missing throws. */
    readMany: (path: string, count: number): string[] => {
      const seen = new Set<string>()
      const into = Buffer.alloc(65_536)
      for (let i = 0; i < count; i++) {
        const fd = handles.opened(open(cString(path), O.RDONLY, 0))
        let text = ''
        for (let n = read(fd, into, into.length); n > 0; n = read(fd, into, into.length)) {
          text += into.toString('latin1', 0, n)
        }
        handles.close(fd)
        seen.add(text)
      }
      return [...seen]
    },
    /** Writes one letter to every `step`th byte from `first` on, `count` times, each by a write of its own. */
    stripe: (path: string, letter: string, first: number, step: number, count: number): void => {
      const fd = handles.opened(open(cString(path), O.WRONLY, 0))
      const byte = Buffer.from(letter, 'latin1')
      for (let i = 0; i < count; i++) pwrite(fd, byte, 1, first + i * step)
      handles.close(fd)
    },
    /** Waits until the file is there; fails with what open fails with after `tries` tries. */
    await: (path: string, tries: number): void => {
      for (let i = 1; ; i++) {
        try {
          return handles.close(handles.opened(open(cString(path), O.RDONLY, 0)))
        } catch (error) {
          if (i >= tries) throw error
        }
      }
    },
    /** Makes `prefix0`, `prefix1` and so on, from `first`. */
    makeMany: (prefix: string, first: number, count: number): void => {
      for (let i = first; i < first + count; i++) make(`${prefix}${i}`, O.EXCL, '')
    },
    unlinkMany: (prefix: string, first: number, count: number): void => {
      for (let i = first; i < first + count; i++) unlink(cString(`${prefix}${i}`))
    },
  }
}
