import { assert, present } from '../../src/stdx/assert.js'
import { KhazanaError } from '../../src/index.js'
import type { Khazana } from '../../src/index.js'
import type { Answer, Request } from './messages.js'
import type { Actions, Host } from './part.js'
import { parts } from './parts.js'

const created = new Map<number, Actions>()
const ends: (() => Promise<void> | void)[] = []
let site: Khazana | undefined

const host: Host = {
  get site() {
    return present(site, 'the process has opened global memory')
  },
  use: (opened) => {
    site = opened
  },
  atEnd: (end) => {
    ends.push(end)
  },
}

process.on('message', (message) => void handle(message as Request))
// The bench has died: nobody needs what is still being measured.
process.on('disconnect', () => process.exit())
// An interrupt from the terminal goes to all; the bench ends its processes itself.
process.on('SIGINT', () => undefined)

/** Never rejects but for a failure to end, which then shows as a crash. */
async function handle(request: Request): Promise<void> {
  if (request.kind === 'end') {
    for (const end of ends.toReversed()) await end()
    process.exit()
  }
  try {
    answer({ kind: 'done', id: request.id, result: await perform(request) })
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const code = error instanceof KhazanaError ? error.code : undefined
    answer({ kind: 'failed', id: request.id, message, code })
  }
}

async function perform(request: Exclude<Request, { readonly kind: 'end' }>): Promise<unknown> {
  if (request.kind === 'create') {
    const part = parts.find(({ name }) => name === request.part)
    assert(part !== undefined, `part ${request.part} is listed`)
    // The bench has the part's own type; here its settings are only passed on.
    created.set(request.id, (await part.create(host, request.settings as never)) as Actions)
    return undefined
  }
  const action = created.get(request.part)?.[request.action]
  assert(action !== undefined, `the part can ${request.action}`)
  return await action(request.argument as never)
}

function answer(message: Answer): void {
  process.send?.(message)
}
