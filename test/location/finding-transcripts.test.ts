import { describe, it } from 'node:test'
import { addressFrom } from '../../src/address/address.js'
import { defaultAttributes } from '../../src/address/attributes.js'
import { nodeId } from '../../src/address/identity.js'
import { Locator } from '../../src/location/locator.js'
import type { LocatorEvent } from '../../src/location/locator.js'
import { unreachable } from '../../src/stdx/assert.js'
import type { Whereabouts } from '../../src/wire/message.js'
import { assertGolden } from '../testing/golden-transcript.js'

/** What a node says when it is asked: later than others do where it begins with `late`. Those that are not listed keep silent. */
type Answers = Readonly<Record<number, string>>

/** The search of node 9, in a cluster of nodes 1 to 4 and 9 whose manager is node 1, written down line by line. */
class Search {
  readonly log: string[] = []

  play(prose: string, answers: Answers, mapSays: readonly number[] = []): void {
    this.log.push(`# ${prose}`)
    const locator = new Locator(nodeId(9))
    const queue: LocatorEvent[] = [
      { kind: 'start', own: this.#said(answers[9] ?? 'unknown'), manager: nodeId(1) },
    ]
    // What comes when nothing else does any more.
    const late: LocatorEvent[] = []
    for (let event = queue.shift(); event !== undefined; event = queue.shift() ?? late.shift()) {
      this.#note(event, answers)
      for (const effect of locator.step(event)) {
        switch (effect.kind) {
          case 'ask': {
            const { node } = effect
            const answer = answers[node]
            this.log.push(`9 -> ${node}: whereis`)
            if (answer === undefined) {
              queue.push({ kind: 'slow', node })
              late.push({ kind: 'silence', node })
            } else if (answer.startsWith('late ')) {
              queue.push({ kind: 'slow', node })
              late.push({ kind: 'answer', node, whereabouts: this.#said(answer.slice(5)) })
            } else queue.push({ kind: 'answer', node, whereabouts: this.#said(answer) })
            break
          }
          case 'look-here':
            queue.push({ kind: 'answer', node: nodeId(9), whereabouts: this.#said(answers[9] ?? 'unknown') })
            break
          case 'search-map':
            this.log.push('9: reads the address map')
            queue.push({ kind: 'map', homes: mapSays.map(nodeId) })
            break
          case 'list-members':
            this.log.push('9: goes to all nodes')
            queue.push({ kind: 'members', nodes: [1, 2, 3, 4, 9].map(nodeId) })
            break
          case 'found':
            this.log.push(
              `9: found at ${effect.descriptor.home}, by ${effect.found.by}, asked ${effect.found.asked}`,
            )
            break
          case 'failed':
            this.log.push(`9: ${effect.code}: ${effect.message}`)
            break
          default:
            unreachable(effect)
        }
      }
    }
    this.log.push('')
  }

  #note(event: LocatorEvent, answers: Answers): void {
    switch (event.kind) {
      case 'start':
        this.log.push(`9: looks for the region; itself: ${answers[9] ?? 'unknown'}`)
        break
      case 'answer':
        this.log.push(`${event.node} -> 9: ${(answers[event.node] ?? 'unknown').replace('late ', '')}`)
        break
      case 'slow':
        this.log.push(`${event.node}: (does not answer yet)`)
        break
      case 'silence':
        this.log.push(`${event.node}: (is silent)`)
        break
      case 'map':
        this.log.push(`9: the map says ${event.homes.length === 0 ? 'nothing' : event.homes.join(', ')}`)
        break
      case 'members':
      case 'time':
        break
      default:
        unreachable(event)
    }
  }

  /** `elsewhere 3 4` names nodes. */
  #said(text: string): Whereabouts {
    const [kind, ...nodes] = text.split(' ')
    if (kind === 'elsewhere') return { kind, nodes: nodes.map((node) => nodeId(Number(node))), isSure: false }
    if (kind === 'moved')
      return { kind: 'elsewhere', nodes: nodes.map((node) => nodeId(Number(node))), isSure: true }
    if (kind === 'unreserved' || kind === 'unknown') return { kind }
    const descriptor = {
      address: addressFrom(0x1_0000_0000n),
      ...{ size: 4096, pageSize: 4096, generation: 1, revision: 1, era: 1 },
      home: nodeId(Number(nodes[0])),
      attributes: defaultAttributes,
    }
    return { kind: 'home', descriptor }
  }
}

describe('the search for a region, as it goes', () => {
  it('step by step', () => {
    const search = new Search()
    search.play('The manager has a hint. It is right.', { 1: 'elsewhere 3', 3: 'home 3' })
    search.play('The region has moved since. Node 3 knows where: one question more.', {
      1: 'elsewhere 3',
      3: 'moved 4',
      4: 'home 4',
    })
    search.play(
      'This node remembers the region at node 2, which has left nothing there: the hint is forgotten.',
      {
        9: 'elsewhere 2',
        2: 'unknown',
        1: 'elsewhere 4',
        4: 'home 4',
      },
    )
    search.play('The manager is dead. The address map knows.', { 2: 'unknown', 3: 'home 3' }, [3])
    search.play('The manager is dead, and so is the home of the map. All nodes are asked.', {
      2: 'unknown',
      3: 'home 3',
      4: 'unknown',
    })
    search.play('The manager is slow. It is not waited for, but heard.', {
      1: 'late elsewhere 3',
      2: 'unknown',
      3: 'late home 3',
      4: 'unknown',
    })
    search.play('The node that has the address in its pool says that it is free.', {
      1: 'elsewhere 2',
      2: 'unreserved',
    })
    search.play('Nobody has it, and all have said so.', {
      1: 'unknown',
      2: 'unknown',
      3: 'unknown',
      4: 'unknown',
    })
    search.play('The one that should have it is silent. That is something else than that nobody has it.', {
      1: 'elsewhere 3',
      2: 'unknown',
      4: 'unknown',
    })
    assertGolden('finding-a-region', search)
  })
})
