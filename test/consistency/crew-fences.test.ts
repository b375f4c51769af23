import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fenceCountMax } from '../../src/address/fence.js'
import { clientSite, clientSiteMin, nodeId } from '../../src/address/identity.js'
import { Fences } from '../../src/consistency/crew/fences.js'

const far = 2 ** 40
const node = nodeId(2)
const client = clientSite(clientSiteMin)

function counting(used = 0, limit = far): Fences {
  return new Fences({ used, limit }, undefined)
}

/** Takes as many as there are, at most so many. */
function takeAll(fences: Fences, max = far): number {
  let taken = 0
  while (taken < max && typeof fences.take() === 'number') taken += 1
  return taken
}

describe('the fences of a site', () => {
  it('grow by one, and begin above what it has heard of', () => {
    const home = counting()
    assert.deepEqual([home.take(), home.take()], [1, 2])
    const child = counting(0, 0)
    assert.equal(child.take(), 'not-yet')
    child.learn(home.tell(node))
    assert.equal(child.take(), 3)
    assert.equal(home.take(), 3)
    home.hear(node, child.used)
    assert.equal(home.take(), 4)
  })

  it('never go beyond what it was told, and it asks at half of that', () => {
    const home = counting()
    const child = counting(0, 0)
    child.learn(home.tell(client))
    assert.ok(!child.isLow)
    const half = child.mark.limit / 2
    assert.equal(takeAll(child, half - 1), half - 1)
    assert.ok(!child.isLow)
    assert.equal(takeAll(child, 1), 1)
    assert.ok(child.isLow)
    assert.equal(takeAll(child), half)
    home.hear(client, child.used)
    child.learn(home.tell(client))
    assert.ok(!child.isLow)
    assert.equal(child.take(), 2 * half + 1)
  })

  it('go on beyond all that a lost child may have given, and no further', () => {
    const home = counting()
    const lost = counting(0, 0)
    lost.learn(home.tell(client))
    home.lose(node)
    assert.equal(home.used, 0)
    home.lose(client)
    assert.equal(home.used, takeAll(lost))
  })

  it('go on beyond what clients of a lost node may have given', () => {
    const home = counting()
    const middle = counting(0, 0)
    middle.learn(home.tell(node))
    const below = counting(0, 0)
    below.learn(middle.tell(client))
    takeAll(below)
    home.lose(node)
    assert.ok(home.used >= below.used)
  })

  it('of a node with little left are told on as they are', () => {
    const middle = counting(100, 110)
    assert.deepEqual(middle.tell(client), { used: 100, limit: 110 })
    middle.lose(client)
    assert.equal(middle.take(), 'not-yet')
  })

  it('are not led further by a child than that was let', () => {
    const home = counting()
    home.hear(client, far)
    assert.equal(home.used, 0)
    const { limit } = home.tell(client)
    home.hear(client, far)
    assert.equal(home.used, limit)
  })

  it('are as many as the parent said last, as it may have begun anew, or as many as a sibling had', () => {
    const fences = counting(10, 3000)
    fences.learn({ used: 12, limit: 20 })
    fences.inherit({ used: 0, limit: 16 })
    assert.equal(takeAll(fences), 8)
    fences.inherit({ used: 30, limit: 40 })
    assert.equal(fences.take(), 31)
    assert.equal(takeAll(fences), 9)
  })

  it('end with the era', () => {
    const fences = counting(fenceCountMax - 1, fenceCountMax)
    assert.deepEqual([fences.take(), fences.take()], [fenceCountMax, 'used-up'])
  })
})
