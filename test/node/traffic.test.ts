import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Traffic } from '../../src/node/session/traffic.js'
import type { SequencedMessage } from '../../src/wire/message.js'
import { FrameWriter } from '../../src/wire/frame-writer.js'
import { commitOf } from '../wire/frames.js'
import { settle } from './fake-world.js'
import { connectedPair, leaseMs, request } from './site-pair.js'

const none = { messagesSent: 0, bytesSent: 0, messagesFromClients: 0, bytesFromClients: 0 }

function countsOf({ messagesSent, bytesSent, messagesFromClients, bytesFromClients }: Traffic): typeof none {
  return { messagesSent, bytesSent, messagesFromClients, bytesFromClients }
}

function bytesOf(message: SequencedMessage, pages: readonly Uint8Array[] = []): number {
  return new FrameWriter().encode(message, pages, 1, 0).bytes
}

describe('the traffic of a site', () => {
  it('is its messages with their pages, and not what keeps its sessions up', async () => {
    const pair = await connectedPair({ role: 'node' })
    await pair.clock.advance(leaseMs * 3)
    assert.deepEqual(countsOf(pair.traffic.dialed), none)
    assert.deepEqual(countsOf(pair.traffic.accepted), none)
    const { message, pages } = commitOf([4096, 8192])
    pair.dialed.last.session.send(request(1))
    pair.dialed.last.session.send(message, pages)
    pair.accepted.last.session.send(request(2))
    await pair.clock.advance(leaseMs)
    const bytes = bytesOf(request(1))
    assert.deepEqual(countsOf(pair.traffic.dialed), {
      ...none,
      messagesSent: 2,
      bytesSent: bytes + bytesOf(message, pages),
    })
    assert.deepEqual(countsOf(pair.traffic.accepted), { ...none, messagesSent: 1, bytesSent: bytes })
  })

  it('tells what clients said, at the node that heard it', async () => {
    const pair = await connectedPair({ role: 'client' })
    const { message, pages } = commitOf([4096])
    pair.dialed.last.session.send(message, pages)
    pair.accepted.last.session.send(request(1))
    pair.accepted.last.session.send(request(2))
    await settle()
    // Said again, as after a break.
    pair.network.last.accepting.arrive(new FrameWriter().encode(request(3), [], 1, 0).head)
    await settle()
    assert.deepEqual(countsOf(pair.traffic.accepted), {
      messagesSent: 2,
      bytesSent: 2 * bytesOf(request(1)),
      messagesFromClients: 1,
      bytesFromClients: bytesOf(message, pages),
    })
  })

  it('counts once what a broken connection makes to be sent twice', async () => {
    const pair = await connectedPair({ role: 'client' })
    const bytes = bytesOf(request(1))
    // The acknowledgement of what has arrived is lost; of the rest nothing arrives.
    pair.dialed.last.session.send(request(1))
    await settle()
    pair.network.last.muteAfter(0)
    pair.dialed.last.session.send(request(2))
    pair.accepted.last.session.send(request(3))
    await settle()
    pair.network.last.reset()
    pair.dialed.last.session.send(request(4))
    await pair.clock.advance(200)
    assert.equal(pair.accepted.last.messages.length, 3)
    assert.equal(pair.network.pipes.length, 2)
    const sent = { messagesSent: 1, bytesSent: bytes }
    const heard = { messagesFromClients: 3, bytesFromClients: 3 * bytes }
    assert.deepEqual(countsOf(pair.traffic.accepted), { ...sent, ...heard })
    assert.deepEqual(countsOf(pair.traffic.dialed), { ...none, messagesSent: 3, bytesSent: 3 * bytes })
  })

  it('holds that of sessions that are over, and nothing that was said to them later', async () => {
    const pair = await connectedPair({ role: 'client' })
    const { session } = pair.dialed.last
    session.send(request(1))
    await settle()
    await session.close()
    session.send(request(2))
    await pair.clock.advance(200)
    assert.equal(pair.dialed.sessions.length, 2)
    pair.dialed.last.session.send(request(3))
    await settle()
    assert.equal(pair.traffic.dialed.messagesSent, 2)
    assert.equal(pair.traffic.accepted.messagesFromClients, 2)
  })
})
