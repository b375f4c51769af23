import { dataCalls } from './data-calls.js'
import { directoryCalls } from './directory-calls.js'
import { Handles } from './handles.js'
import { lockCalls } from './lock-calls.js'
import { loopCalls } from './loop-calls.js'
import { memoryCalls } from './memory-calls.js'
import { nameCalls } from './name-calls.js'
import { processCalls } from './process-calls.js'
import { statCalls } from './stat-calls.js'
import { xattrCalls } from './xattr-calls.js'

/** All that an agent can do. */
// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types -- the table is its own type
export function makeCalls() {
  const handles = new Handles()
  const process = processCalls(handles)
  const directories = directoryCalls(handles)
  return {
    ...statCalls,
    ...nameCalls,
    ...xattrCalls,
    ...dataCalls(handles),
    ...directories,
    ...lockCalls(handles),
    ...loopCalls(handles),
    ...memoryCalls(handles),
    ...process,
    /** As it was when it began: holds nothing, stands at the root, masks nothing, and is who started it. */
    reset: (): void => {
      if (startedBy === 0) process.become(superuser)
      handles.releaseAll()
      process.unlimitFileSize()
      process.umask(0)
      directories.chdir('/')
    },
  }
}

const superuser = { uid: 0, gid: 0, groups: [] }
const startedBy = process.getuid?.()

export type Calls = ReturnType<typeof makeCalls>
