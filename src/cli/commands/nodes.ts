import type { Command } from 'commander'
import type { NodeEntry } from '../../wire/message.js'
import { clientCommand, withClient } from '../client-command.js'
import { writeJson, writeLine } from '../standard-output.js'

const description = `List the nodes of the cluster and how they are.

A node that does not answer has no numbers. Sessions are those with other nodes. Messages are counted since a node's start, with the MiB that they
took: those that the node sent, and those that came from its clients.`

const examples = `  khazana nodes
  khazana nodes --json`

const MiB = 1024 * 1024
const columns = [
  'NODE',
  'NAME',
  'LISTEN',
  'UP',
  'REGIONS',
  'CLIENTS',
  'SESSIONS',
  'MEMORY MiB',
  'DISK MiB',
  'ALLOCATED MiB',
  'DAMAGED',
  'MESSAGES SENT MiB',
  'FROM CLIENTS MiB',
]

export function addNodes(program: Command): void {
  const command = clientCommand(program, 'nodes', description, examples)
    .option('--json', 'print as JSON')
    .action(({ json }: { readonly json?: true }) =>
      withClient(command, async ({ khazana, wait }) => {
        const nodes = await khazana.nodes(wait)
        if (json === true) await writeJson({ nodes: nodes.map(documentOf) })
        else await writeLine(tableOf([columns, ...nodes.map(rowOf)]).join('\n'))
      }),
    )
}

function documentOf({ member, status }: NodeEntry): unknown {
  return { ...member, status: status ?? null }
}

function rowOf({ member, status }: NodeEntry): string[] {
  const start = [String(member.node), member.name, member.listen === '' ? '-' : member.listen]
  if (status === undefined) return [...start, 'no answer']
  const { uptimeMs, regions, clients, nodeSessions, memoryBytes, memoryBytesMax, diskBytes, diskBytesMax } =
    status
  return [
    ...start,
    `${Math.floor(uptimeMs / 1000)} s`,
    ...[regions, clients, nodeSessions].map(String),
    `${inMiB(memoryBytes)} of ${inMiB(memoryBytesMax)}`,
    `${inMiB(diskBytes)} of ${inMiB(diskBytesMax)}`,
    inMiB(status.allocatedBytes),
    String(status.damagedPages),
    `${status.messagesSent} in ${inMiB(status.bytesSent)}`,
    `${status.messagesFromClients} in ${inMiB(status.bytesFromClients)}`,
  ]
}

function inMiB(bytes: number): string {
  return (bytes / MiB).toFixed(bytes < 10 * MiB ? 1 : 0)
}

/** Columns as wide as what is in them. */
function tableOf(rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map((_name, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
