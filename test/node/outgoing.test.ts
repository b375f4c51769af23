import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import type { Address } from '../../src/address/address.js'
import type { SiteId } from '../../src/address/identity.js'
import type { CmMessage } from '../../src/consistency/contract.js'
import { FrameTable } from '../../src/node/replica/frame-table.js'
import { Outgoing } from '../../src/node/replica/outgoing.js'
import { PageMemory } from '../../src/node/page-memory.js'
import type { Session } from '../../src/node/session/session.js'
import { page, pageBytes, peer } from './scripted-site.js'

const other = (peer + 1) as SiteId

function giveUp(first: number, count = 1, keep: 'none' | 'shared' = 'none', used = 0): CmMessage {
  return { kind: 'yield', range: { first: page(first), count }, keep, handed: false, used }
}

const cancel: CmMessage = { kind: 'cancel', serial: 1, range: { first: page(0), count: 1 } }

/** To whom, and what: pages that are given up as `first+count`. */
let said: string[] = []
let outgoing: Outgoing

beforeEach(() => {
  said = []
  const session = (to: SiteId): Session => {
    const send = ({ body }: { readonly body: CmMessage }): void => {
      const what =
        body.kind === 'yield'
          ? `${body.range.first}+${body.range.count} ${body.keep} ${body.used}`
          : body.kind
      said.push(`${to === peer ? 'peer' : 'other'}: ${what}`)
    }
    return { loss: undefined, writable: true, send } as unknown as Session
  }
  const frames = new FrameTable(
    {
      ...{ pageSize: pageBytes, memory: new PageMemory(1_000_000), key: 0 },
      ...{ give: () => undefined, isUnsettled: () => false, mayEvict: () => true },
    },
    undefined,
  )
  const region = 0x14000n as Address
  outgoing = new Outgoing({
    ...{ region, generation: 1, era: 1, pageSize: pageBytes, frames, session },
    unreadable: () => undefined,
  })
})

describe('what is given up', () => {
  it('page by page in one turn is said in one message', async () => {
    for (let index = 5; index < 70; index++) outgoing.send(peer, giveUp(index, 1, 'none', index))
    assert.deepEqual(said, [])
    await Promise.resolve()
    assert.deepEqual(said, ['peer: 5+65 none 69'])
    outgoing.send(peer, giveUp(70))
    await Promise.resolve()
    assert.deepEqual(said.slice(1), ['peer: 70+1 none 0'])
  })

  it('is said before all that is said to the same peer after it', async () => {
    outgoing.send(peer, giveUp(5))
    outgoing.send(other, giveUp(6))
    outgoing.send(peer, giveUp(6))
    outgoing.send(peer, cancel)
    assert.deepEqual(said, ['peer: 5+2 none 0', 'peer: cancel'])
    outgoing.send(peer, giveUp(7))
    await Promise.resolve()
    assert.deepEqual(said.slice(2).sort(), ['other: 6+1 none 0', 'peer: 7+1 none 0'])
  })

  it('is several messages where pages do not follow each other, or something else is kept', async () => {
    for (const message of [giveUp(5), giveUp(7), giveUp(8), giveUp(9, 1, 'shared'), giveUp(10, 3, 'shared')])
      outgoing.send(peer, message)
    const handed: CmMessage = { ...giveUp(13, 1, 'shared'), handed: true } as CmMessage
    outgoing.send(peer, handed)
    outgoing.send(peer, giveUp(0, 4000))
    outgoing.send(peer, giveUp(4000, 97))
    await Promise.resolve()
    assert.deepEqual(said, [
      ...['peer: 5+1 none 0', 'peer: 7+2 none 0', 'peer: 9+4 shared 0', 'peer: 13+1 shared 0'],
      ...['peer: 0+4000 none 0', 'peer: 4000+97 none 0'],
    ])
  })

  it('is not said to a peer whose session is lost', async () => {
    outgoing.send(peer, giveUp(5))
    outgoing.forget(peer)
    await Promise.resolve()
    assert.deepEqual(said, [])
  })
})
