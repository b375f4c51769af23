import { EtcdClient } from '../peers/etcd-client.js'
import { RedisClient } from '../peers/redis-client.js'
import { pageBytes, visitingOrder, workingSetPages } from '../parts/working-set.js'
import type { Part } from '../process/part.js'
import type { Row } from '../row.js'
import type { Sample } from '../sample.js'
import { timeConcurrent, timeEach } from '../timing.js'

/** Those of durable-write.ts, which these rows stand beside. */
const lanes = 64

type Peer = 'etcd' | 'redis'

interface Actions {
  serial(budgetMs: number): Promise<Sample>
  concurrent(budgetMs: number): Promise<Sample>
}

/** A process that writes pages to somebody else's server, under as many keys as the working set has pages. */
export const peerWriterPart: Part<{ readonly peer: Peer; readonly port: number }, Actions> = {
  name: 'peer-writer',
  create: async (host, { peer, port }) => {
    const value = new Uint8Array(pageBytes).fill(6)
    const write = await writerTo(peer, port, (close) => host.atEnd(close))
    const order = visitingOrder()
    return {
      serial: (budgetMs) =>
        timeEach(budgetMs, (index) => write(`page-${order[index % workingSetPages] ?? 0}`, value)),
      concurrent: (budgetMs) => timeConcurrent(budgetMs, lanes, (lane) => write(`page-${lane}`, value)),
    }
  },
}

async function writerTo(
  peer: Peer,
  port: number,
  atEnd: (close: () => void) => void,
): Promise<(key: string, value: Uint8Array) => Promise<void>> {
  if (peer === 'etcd') {
    const client = await EtcdClient.connect(port)
    atEnd(() => client.close())
    return (key, value) => client.put(key, value)
  }
  const client = await RedisClient.connect(port)
  atEnd(() => client.close())
  return (key, value) => client.set(key, value)
}

/** A put of 4 KiB to an etcd of one member, by gRPC over the loopback; one after the other. Etcd flushes before it answers. */
export const etcdPut: Row = row('etcd-put', 'etcd', 'serial')
/** The same with 64 under way on one connection, each of a key of its own; for each put. */
export const etcdPut64: Row = row('etcd-put-64', 'etcd', 'concurrent')
/** A SET of 4 KiB to a Redis with `appendfsync always`, over the loopback; one after the other. */
export const redisSet: Row = row('redis-set', 'redis', 'serial')
/** The same with 64 under way on one connection, each of a key of its own; for each SET. */
export const redisSet64: Row = row('redis-set-64', 'redis', 'concurrent')

function row(name: string, peer: Peer, action: keyof Actions): Row {
  return {
    name,
    unit: 'us',
    limit: action === 'serial' ? 'append-fdatasync-4k' : 'append-fdatasync-4k-64',
    open: async (stage) => {
      const port = await (peer === 'etcd' ? stage.etcd() : stage.redis())
      const part = await stage.worker(`${peer}-client`).create(peerWriterPart, { peer, port })
      return { round: (budgetMs) => part.call(action, budgetMs) }
    },
  }
}
