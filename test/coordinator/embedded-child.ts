// Serves an embedded coordinator on a directory to the process that started it, over the channel between them.
import { CoordinatorServer } from '../../src/coordinator/coordinator-server.js'
import type { ChangesRequest, Request } from '../../src/coordinator/request.js'
import { silentLogger } from '../../src/io/logger.js'
import { nodeWorld } from '../../src/io/node/world.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { openStore } from '../../src/store/store.js'
import type { ChildAnswer, ChildRequest } from './embedded-process.js'

const MiB = 1024 * 1024
const world = nodeWorld(silentLogger)
const directory = process.argv[2] ?? ''
const storage = await openStore({
  ...world,
  directory: await world.openDirectory(directory),
  limits: { diskBytesMax: 128 * MiB },
})
const server = CoordinatorServer.start({ clock: world.clock, storage })
process.on('message', (message: ChildRequest) => void serve(message.id, message.request, message.timeoutMs))
process.on('disconnect', () => process.exit())
say({ kind: 'ready' })

async function serve(id: number, request: Request | ChangesRequest, timeoutMs: number): Promise<void> {
  try {
    say({ kind: 'answer', id, answer: await server.ask(request, { timeoutMs }) })
  } catch (reason) {
    const { code, message } = KhazanaError.from(reason)
    say({ kind: 'failure', id, code, message })
  }
}

function say(answer: ChildAnswer): void {
  process.send?.(answer)
}
