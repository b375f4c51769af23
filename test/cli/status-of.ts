import { output } from './command.js'
import type { Daemon } from './daemon.js'

export interface Status {
  readonly regions: number
  readonly memoryBytes: number
  readonly allocatedBytes: number
  readonly messagesSent: number
  readonly bytesSent: number
  readonly messagesFromClients: number
  readonly bytesFromClients: number
}

/** What the node says of itself, asked as a user would. */
export async function statusOf(daemon: Daemon): Promise<Status> {
  const { nodes } = JSON.parse(await output(['nodes', '--json'], { at: daemon.at })) as {
    readonly nodes: readonly { readonly node: number; readonly status: Status | null }[]
  }
  const status = nodes.find(({ node }) => node === daemon.ready.node)?.status
  if (status === undefined || status === null) throw new Error(`no status of node ${daemon.ready.node}`)
  return status
}

/** The numbers of the nodes that the node lists. */
export async function nodesAt(at: string): Promise<readonly number[]> {
  const { nodes } = JSON.parse(await output(['nodes', '--json'], { at })) as {
    readonly nodes: readonly { readonly node: number }[]
  }
  return nodes.map(({ node }) => node)
}
