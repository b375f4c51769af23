import { jsonCodec } from 'khazana'
import type { ProtocolDefinition } from 'khazana'
import { Copy } from './copy.js'
import { Home } from './home.js'
import { checkMessage } from './message.js'
import type { Message } from './message.js'

/**
 * For what is read all the time and written now and then: settings, catalogues, routing tables.
 *
 * Everybody reads a copy of their own, at any time, even while the home cannot be reached. Who writes has the pages alone,
 * as they are now; the home sees to that. What was written is durable when `unlock` resolves, is seen at once where it was
 * written, and comes to the other copies in batches: every `everyMs` milliseconds the home sends what has changed, once,
 * however often it has changed meanwhile.
 *
 * A copy is behind by `everyMs` and the time of a message, and by any time while the home cannot be reached.
 */
export function readMostly({ everyMs }: { readonly everyMs: number }): ProtocolDefinition<Message> {
  return {
    name: 'read-mostly',
    codec: jsonCodec(checkMessage),
    create: (site, options) =>
      site.parent === undefined ? new Home(site, options, everyMs) : new Copy(site.parent),
  }
}
