import { present } from '../../src/stdx/assert.js'
import type { Part } from '../process/part.js'
import type { Sample } from '../sample.js'
import { timeEach, timeTransfer } from '../timing.js'
import { RawClient } from './raw-socket.js'
import type { RawEndpoint } from './raw-socket.js'

type Transport = 'tcp' | 'unix'

export interface Exchange {
  readonly transport: Transport
  readonly bytes: number
}

export interface RawClientActions {
  pingPong(exchange: Exchange & { readonly budgetMs: number }): Promise<Sample>
  stream(exchange: Exchange): Promise<Sample>
}

export const rawClientPart: Part<Readonly<Record<Transport, RawEndpoint>>, RawClientActions> = {
  name: 'raw-client',
  create: async (host, endpoints) => {
    const clients: Partial<Record<Transport, RawClient>> = {}
    for (const transport of ['tcp', 'unix'] as const) {
      const client = await RawClient.connect(endpoints[transport])
      clients[transport] = client
      host.atEnd(() => client.close())
    }
    const of = (transport: Transport): RawClient => present(clients[transport], 'both are connected')
    return {
      pingPong: ({ transport, bytes, budgetMs }) => timeEach(budgetMs, () => of(transport).fetch(bytes)),
      stream: ({ transport, bytes }) => timeTransfer(bytes, () => of(transport).fetch(bytes)),
    }
  },
}
