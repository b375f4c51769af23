import type { Row } from '../row.js'
import { clientReadHit } from './client-read-hit.js'
import { copy4k } from './copy-4k.js'
import {
  clientDurableWrite,
  durableWrite,
  durableWrite64,
  replicatedWrites,
  replicatedWrites64,
} from './durable-write.js'
import { localReadHit } from './local-read-hit.js'
import { localWriteHit } from './local-write-hit.js'
import { lock1000Pages } from './lock-1000-pages.js'
import { halvesAtOnce, halvesInTurn } from './page-halves.js'
import { etcdPut, etcdPut64, redisSet, redisSet64 } from './peers.js'
import { append4k, append4k64, appendDurable4k, appendStream } from './raw-appends.js'
import { replicatedAppends, replicatedAppends64 } from './raw-replicas.js'
import { tcpPingPong4000k, tcpPingPong4k, tcpStream, unixPingPong4k } from './raw-sockets.js'
import { readWriteMixes } from './read-write-mix.js'
import { remotePingPongWrite } from './remote-ping-pong-write.js'
import { remoteReadMiss } from './remote-read-miss.js'
import { streamRead, streamRead64k, streamWrite, streamWrite64k } from './streams.js'

/** In the order of the table, which is also that of a round: each row soon after its limit. */
export const allRows: readonly Row[] = [
  copy4k,
  localReadHit,
  clientReadHit,
  localWriteHit,
  append4k,
  durableWrite,
  ...replicatedAppends,
  ...replicatedWrites,
  clientDurableWrite,
  etcdPut,
  redisSet,
  appendDurable4k,
  append4k64,
  durableWrite64,
  ...replicatedAppends64,
  ...replicatedWrites64,
  etcdPut64,
  redisSet64,
  tcpPingPong4k,
  remoteReadMiss,
  remotePingPongWrite,
  unixPingPong4k,
  tcpPingPong4000k,
  lock1000Pages,
  tcpStream,
  streamRead,
  streamRead64k,
  appendStream,
  streamWrite,
  streamWrite64k,
  ...halvesInTurn,
  ...halvesAtOnce,
  ...readWriteMixes,
]
