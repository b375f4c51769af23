import type { Exchange } from '../parts/raw-client.js'
import type { Row } from '../row.js'

/** 64 bytes there, so many back: what a request for a page takes at least. */
export const tcpPingPong4k = pingPong('tcp-pingpong-4k', { transport: 'tcp', bytes: 4096 })
export const unixPingPong4k = pingPong('unix-pingpong-4k', { transport: 'unix', bytes: 4096 })
/** As much as a thousand pages. */
export const tcpPingPong4000k = pingPong('tcp-pingpong-4000k', { transport: 'tcp', bytes: 4000 * 1024 })

function pingPong(name: string, exchange: Exchange): Row {
  return {
    name,
    unit: 'us',
    limit: null,
    open: async (stage) => {
      const client = await stage.rawClient()
      return { round: (budgetMs) => client.call('pingPong', { ...exchange, budgetMs }) }
    },
  }
}

/** One process sends as fast as the other one reads; what is read is thrown away. */
export const tcpStream: Row = {
  name: 'tcp-stream',
  unit: 'MiB/s',
  limit: null,
  open: async (stage) => {
    const client = await stage.rawClient()
    return { round: () => client.call('stream', { transport: 'tcp', bytes: 64 * 2 ** 20 }) }
  },
}
