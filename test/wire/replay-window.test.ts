import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { EncodedFrame } from '../../src/wire/frame-writer.js'
import { ReplayWindow } from '../../src/wire/replay-window.js'

const protocolError = { code: 'protocol-error' }

/** A frame whose head tells which message it is. */
function frame(message: number): EncodedFrame {
  return { head: Uint8Array.of(message & 0xff, message >> 8), pages: [], bytes: 100 }
}

function messageOf(encoded: EncodedFrame): number {
  return (encoded.head[0] ?? 0) + 256 * (encoded.head[1] ?? 0)
}

describe('a replay window', () => {
  it('delivers every message once and in order, whatever the connections lose', () => {
    const steps = fc.array(
      fc.constantFrom('send', 'send', 'send', 'deliver', 'deliver', 'acknowledge', 'break'),
      {
        maxLength: 400,
      },
    )
    fc.assert(
      fc.property(steps, (script) => {
        const sender = new ReplayWindow()
        const receiver = new ReplayWindow()
        let wire: EncodedFrame[] = []
        const delivered: number[] = []
        let sent = 0
        const deliver = (): void => {
          const next = wire.shift()
          if (next !== undefined && receiver.arrived(messageOf(next)) === 'new')
            delivered.push(messageOf(next))
        }
        for (const step of script) {
          if (step === 'send') {
            const encoded = frame(sender.nextSequence)
            sender.sent(encoded)
            wire.push(encoded)
            sent++
          } else if (step === 'deliver') deliver()
          else if (step === 'acknowledge') sender.acknowledged(receiver.received)
          else wire = [...sender.resume(receiver.received)]
        }
        wire = [...sender.resume(receiver.received)]
        while (wire.length > 0) deliver()
        assert.deepEqual(
          delivered,
          Array.from({ length: sent }, (_, index) => index + 1),
        )
        sender.acknowledged(sent)
        assert.equal(sender.unacknowledgedBytes, 0)
      }),
      { numRuns: 500 },
    )
  })

  it('knows a duplicate from a gap', () => {
    const window = new ReplayWindow()
    assert.equal(window.arrived(1), 'new')
    assert.equal(window.arrived(2), 'new')
    assert.equal(window.arrived(1), 'duplicate')
    assert.equal(window.arrived(2), 'duplicate')
    assert.throws(() => window.arrived(4), protocolError)
    assert.equal(window.received, 2)
  })

  it('refuses an acknowledgement of what was never sent, and takes an old one', () => {
    const window = new ReplayWindow()
    for (let message = 1; message <= 3; message++) window.sent(frame(message))
    window.acknowledged(2)
    window.acknowledged(1)
    assert.throws(() => window.acknowledged(4), protocolError)
    assert.deepEqual(window.resume(2).map(messageOf), [3])
  })

  it('cannot go on with a peer that has less than it acknowledged, or more than was sent', () => {
    const window = new ReplayWindow()
    for (let message = 1; message <= 3; message++) window.sent(frame(message))
    window.acknowledged(2)
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((received) => window.canResume(received)),
      [false, false, true, true, false],
    )
  })

  it('counts what is not acknowledged, and forgets it over many messages', () => {
    const window = new ReplayWindow()
    const each = 100 + 64
    for (let message = 1; message <= 10_000; message++) {
      window.sent(frame(message))
      if (message > 10) window.acknowledged(message - 10)
      assert.equal(window.unacknowledgedBytes, Math.min(message, 10) * each)
    }
    assert.deepEqual(window.resume(9995).map(messageOf), [9996, 9997, 9998, 9999, 10_000])
    window.clear()
    assert.equal(window.unacknowledgedBytes, 0)
  })
})
