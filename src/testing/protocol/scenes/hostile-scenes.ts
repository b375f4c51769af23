import type { PageIndex } from '../../../address/page.js'
import { KhazanaError } from '../../../stdx/errors.js'
import { Prng } from '../../../stdx/prng.js'
import { makePatch } from '../../../wire/patch.js'
import { cellOffset } from '../cells.js'
import { demand } from '../contract-violation.js'
import type { Parcel } from '../parcel-table.js'
import { homeName } from '../world-sites.js'
import { Stage, scene } from './stage.js'
import type { Scene } from './stage.js'

const roundsOfNonsense = 60
const decodings = 3000

/** A child that follows no protocol. */
export const hostileScenes: readonly Scene[] = [
  scene({
    name: 'any bytes are a message or a protocol error, and a message is encoded as it was decoded',
    play: (stage) => {
      const prng = Prng.fromSeed(1)
      const codec = stage.protocol.codec
      const said = talk(stage)
      for (let count = 0; count < decodings; count++) {
        const bytes = mutated(prng, said)
        try {
          const message = codec?.decode(bytes)
          if (message !== undefined) codec?.encode(message)
        } catch (cause) {
          const isExpected = cause instanceof KhazanaError && cause.code === 'protocol-error'
          demand(isExpected, `decoding ${bytes.join(' ')} throws no protocol error: ${String(cause)}`)
        }
      }
    },
  }),
  scene({
    name: 'nonsense from a child is refused or ignored, and does others no harm',
    play: ({ protocol, claims }) => {
      for (let seed = 0; seed < roundsOfNonsense; seed++) {
        const prng = Prng.fromSeed(seed)
        const stage = new Stage(protocol, claims)
        const { world } = stage
        const said = talk(stage)
        stage.allSee(0, 0, 1)
        world.deaf.add('A')
        for (let count = prng.int(1, 8); count > 0; count--) {
          const bytes = prng.chance(0.3) ? prng.pick(said) : mutated(prng, said)
          const parcels = Array.from({ length: prng.pick([0, 0, 1, 1, 2]) }, () => drawParcel(prng, stage))
          const isRefused = world.inject('A', bytes, parcels)
          if (prng.chance(0.5)) world.settle()
          if (isRefused) break
        }
        world.settleFor(200)
        world.deaf.delete('A')
        world.lose('A')
        world.settle()
        world.connect('A')
        stage.sees('B', 0, 0, 1)
        stage.sees('C', 1, 0, 2)
        stage.write('C', 0, 0, 3)
        stage.write('B', 1, 0, 4)
        stage.write('A', 2, 1, 5)
        stage.allSee(0, 0, 3)
        stage.allSee(1, 0, 4)
        stage.allSee(2, 1, 5)
      }
    },
  }),
  scene({
    name: 'what only a home may say means nothing when a child says it',
    play: (stage) => {
      const { world } = stage
      talk(stage)
      const said = world.sent.filter(({ from }) => from === homeName)
      for (const { bytes } of said) {
        world.inject('A', bytes)
        world.settle()
        world.lose('A')
        world.connect('A')
      }
      stage.allSee(0, 0, 1)
      stage.allSee(1, 0, 2)
    },
  }),
]

/** Some of all that the managers say to each other, encoded. Leaves 1 in page 0, 2 in page 1. */
function talk<M>(stage: Stage<M>): Uint8Array[] {
  const { world } = stage
  stage.write('A', 0, 0, 9)
  stage.write('B', 0, 0, 1)
  stage.write('C', 1, 0, 2, 'write-shared')
  stage.close(stage.open('A', 'read', 0, 2))
  const holder = stage.open('B', 'write', 2)
  const waiting = world.lock('A', 'write', 2)
  world.settle()
  if (waiting.state === 'open') world.discard(waiting)
  else world.cancel(waiting)
  stage.close(holder)
  stage.until('A has let go of the page', () => world.evict('A', 0))
  stage.allSee(0, 0, 1)
  stage.allSee(1, 0, 2)
  return world.sent.map(({ bytes }) => bytes)
}

function mutated(prng: Prng, said: readonly Uint8Array[]): Uint8Array {
  if (prng.chance(0.1)) return prng.bytes(prng.int(0, 40))
  const bytes = prng.pick(said).slice()
  for (let count = prng.int(1, 3); count > 0 && bytes.length > 0; count--) {
    const at = prng.below(bytes.length)
    const byte = bytes[at] ?? 0
    bytes[at] = prng.pick([byte ^ (1 << prng.below(8)), prng.below(256), byte + 1, 0, 255])
  }
  return prng.chance(0.1) ? bytes.subarray(0, prng.below(bytes.length + 1)) : bytes
}

/**
 * Bytes that a child may send along: damaged, or such that a home that believes them, as it may where the child could have
 * written the page, changes no byte that others have written.
 */
function drawParcel<M>(prng: Prng, { world }: Stage<M>): Parcel {
  if (prng.chance(0.2)) return { kind: 'patch', bytes: prng.bytes(prng.int(0, 10)) }
  const page = world.storage.bytesOf(prng.below(2) as PageIndex)
  const harmless = page.slice()
  harmless[cellOffset(page.length, 0, 20)] = prng.below(256)
  const patch = makePatch(page, harmless)
  if (patch === undefined || prng.chance(0.3)) return { kind: 'page', bytes: page }
  return { kind: 'patch', bytes: patch }
}
