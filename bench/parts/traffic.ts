import { setTimeout } from 'node:timers/promises'
import type { Part } from '../process/part.js'
import type { Remote } from '../process/worker.js'
import type { Sample } from '../sample.js'

/** Once nothing was said for so long, nothing follows from what was done before. */
const quietMs = 50
const asksMax = 40

interface TrafficActions {
  /**
   * How many messages all nodes and clients of the cluster have sent, as soon as they have come to rest. Only the
   * difference between two answers means something.
   */
  settled(): Promise<number>
}

/** Runs in a node, and asks the others. */
export const trafficPart: Part<undefined, TrafficActions> = {
  name: 'traffic',
  create: async (host) => {
    let messagesOfAsking = 0
    const ask = async (): Promise<number> => {
      const nodes = await host.site.nodes()
      let messages = 0
      for (const { member, status } of nodes) {
        if (status === undefined) throw new Error(`${member.name} does not tell what it has sent`)
        messages += status.messagesSent + status.messagesFromClients
      }
      const counted = messages - messagesOfAsking
      // A request and an answer for each other node: the next answer counts them.
      messagesOfAsking += 2 * (nodes.length - 1)
      return counted
    }
    return {
      settled: async () => {
        let last = await ask()
        for (let asks = 1; asks < asksMax; asks++) {
          await setTimeout(quietMs)
          const messages = await ask()
          if (messages === last) return messages
          last = messages
        }
        throw new Error(`messages go on and on, although nobody does anything: ${last}`)
      },
    }
  },
}

/** What was done in a round, and how long that took. */
export interface Work extends Sample {
  readonly operations: number
}

/** A round of work with its messages, those that follow from it after its end included. */
export async function counted(traffic: Remote<TrafficActions>, work: () => Promise<Work>): Promise<Sample> {
  const before = await traffic.call('settled')
  const { operations, ...sample } = await work()
  const messages = (await traffic.call('settled')) - before
  return { ...sample, messagesPerOperation: messages / operations }
}
