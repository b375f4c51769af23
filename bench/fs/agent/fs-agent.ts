import type { Part } from '../../process/part.js'
import { files } from './files.js'
import type { Files } from './files.js'
import { loadLibc } from './libc.js'
import { pairs } from './pairs.js'
import type { Pairs } from './pairs.js'
import { programs } from './programs.js'
import type { Programs } from './programs.js'
import { rawIo } from './raw-io.js'
import type { RawIo } from './raw-io.js'

export type FsAgentActions = RawIo & Files & Programs & Pairs

/** A process that works in a mounted file system. The bench itself never touches one: it must not wait where that hangs. */
export const fsAgentPart: Part<undefined, FsAgentActions> = {
  name: 'fs-agent',
  create: async () => {
    const libc = loadLibc()
    return { ...rawIo(libc), ...files, ...programs(), ...pairs(libc) }
  },
}
