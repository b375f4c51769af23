import type { OperationName } from './measured.js'
import type { ScaleResult } from './measure-scale.js'

/**
 * Numbers of nodes, sizes and addresses are of variable length in messages, and longer where there are more nodes: so many bytes
 * more a message are no growth. What grows with the nodes, such as a list of them, is far over it at four times as many.
 */
export const bytesPerMessageTolerance = 4

/** What must cost the same however many nodes there are. */
export const constantOperations: readonly OperationName[] = [
  'reserve',
  'reserve, pool empty',
  'lookup',
  'lookup and read',
  'read again',
  'lookup again',
  'read, home moved',
  'lookup, not reserved',
  'lookup, not granted',
  'talk to a node',
  'lookup, manager replaced',
  'lookup and read, manager replaced',
]

/** Where a median of these is higher than in the smallest cluster, in words. Fails where none was measured. */
export function growthIn(results: readonly ScaleResult[]): string[] {
  const [smallest, ...larger] = results.toSorted((a, b) => a.nodes - b.nodes)
  if (smallest === undefined || larger.length === 0) throw new Error('one cluster alone does not show growth')
  const growths: string[] = []
  let compared = 0
  for (const { name, messages, bytes } of smallest.operations) {
    if (!constantOperations.includes(name)) continue
    const bytesMax = bytes.median + bytesPerMessageTolerance * messages.median
    for (const { nodes, operations } of larger) {
      const there = operations.find((operation) => operation.name === name)
      if (there === undefined) continue
      compared += 1
      if (there.messages.median > messages.median) {
        growths.push(grown(name, nodes, there.messages.median, smallest.nodes, messages.median, 'messages'))
      }
      if (there.bytes.median > bytesMax) {
        growths.push(grown(name, nodes, there.bytes.median, smallest.nodes, bytes.median, 'bytes'))
      }
    }
  }
  if (compared === 0) throw new Error('nothing was measured that can be compared')
  return growths
}

function grown(name: string, nodes: number, now: number, before: number, then: number, unit: string): string {
  return `${name}: ${now} ${unit} with ${nodes} nodes, ${then} with ${before}`
}
