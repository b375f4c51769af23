import { fsAgentPart } from '../fs/agent/fs-agent.js'
import { homeRegion } from '../parts/home-region.js'
import { rawServer } from '../parts/raw-socket.js'
import { trafficPart } from '../parts/traffic.js'
import { clientSite, nodeSite } from '../parts/sites.js'
import { clientReadHitPart } from '../rows/client-read-hit.js'
import { copyPart } from '../rows/copy-4k.js'
import { durableWritePart } from '../rows/durable-write.js'
import { localReadHitPart } from '../rows/local-read-hit.js'
import { localWriteHitPart } from '../rows/local-write-hit.js'
import { lockManyPart } from '../rows/lock-1000-pages.js'
import { halfWriterPart } from '../rows/page-halves.js'
import { mixPart } from '../rows/read-write-mix.js'
import { rawAppendPart } from '../parts/raw-appends.js'
import { rawClientPart } from '../parts/raw-client.js'
import { rawFollower, rawLeaderPart } from '../parts/raw-replicas.js'
import { peerWriterPart } from '../rows/peers.js'
import { pingPongPart } from '../rows/remote-ping-pong-write.js'
import { remoteReadMissPart } from '../rows/remote-read-miss.js'
import { streamPart } from '../rows/streams.js'
import type { Part } from './part.js'

/** All parts, to be found by name. Their settings come from who knows their type. */
export const parts: readonly Part<never, object>[] = [
  homeRegion,
  rawServer,
  clientSite,
  nodeSite,
  clientReadHitPart,
  copyPart,
  durableWritePart,
  localReadHitPart,
  localWriteHitPart,
  lockManyPart,
  rawAppendPart,
  rawClientPart,
  rawFollower,
  rawLeaderPart,
  peerWriterPart,
  pingPongPart,
  remoteReadMissPart,
  streamPart,
  trafficPart,
  halfWriterPart,
  mixPart,
  fsAgentPart,
]
