import { silentLogger } from '../../src/io/logger.js'
import { FuseServer } from '../../src/fuse/server/fuse-server.js'
import { MemoryFileSystem } from './memory-file-system.js'

// A daemon for tests that kill it: mounts at its argument and says `ready`; at its end, how many operations came. `direct` as second: no page cache.

const [, , path = '', reads = 'cached', writes = 'through', lingerUs = '50'] = process.argv
const operations = new MemoryFileSystem({
  reads: reads === 'direct' ? 'direct' : 'cached',
  answers: 'at-once',
})
const server = await FuseServer.mount({
  path,
  operations,
  logger: silentLogger,
  lingerUs: Number(lingerUs),
  writes: writes === 'kernel' ? 'kernel' : 'through',
})
process.stdout.write('ready\n')
await server.closed
process.stdout.write(`${JSON.stringify(operations.counts)}\n`)
