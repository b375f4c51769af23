import type { Command } from 'commander'
import type { NodeEntry, NodeStatus } from '../../wire/message.js'
import { clientCommand, withClient } from '../client-command.js'
import { writeJson, writeLine } from '../standard-output.js'

const description = `List the nodes of the cluster and how they are.

A node that does not answer has no numbers. The cluster manager is marked: whom the nodes that answer take for it. The address
space is what a node may reserve regions from. Sessions are those with other nodes. Messages are counted since a node's start, with the MiB that they
took: those that the node sent, and those that came from its clients.
Of home groups it tells those that a node leads, how many of these have fewer members than they should, and those of which it keeps a copy for
others. Damaged pages are those that are so now; mended ones were got back from other nodes since the node's start.
Pending is what the node was asked to free or unreserve, and goes on trying to.`

const examples = `  khazana nodes
  khazana nodes --json`

const MiB = 1024 * 1024
const GiB = 1024 * MiB
const columns = [
  'NODE',
  'NAME',
  'LISTEN',
  'UP',
  'REGIONS',
  'GROUPS LED BACKED',
  'CLIENTS',
  'SESSIONS',
  'MEMORY MiB',
  'DISK MiB',
  'ALLOCATED MiB',
  'ADDRESSES FREE GiB',
  'DAMAGED',
  'PENDING',
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
        else await writeLine(textOf(nodes))
      }),
    )
}

function documentOf({ member, status }: NodeEntry): unknown {
  return { ...member, status: status ?? null }
}

function textOf(nodes: readonly NodeEntry[]): string {
  const managers = new Set(nodes.flatMap(({ status }) => status?.manager ?? []))
  return tableOf([columns, ...nodes.map((entry) => rowOf(entry, managers))]).join('\n')
}

function rowOf({ member, status }: NodeEntry, managers: ReadonlySet<number>): string[] {
  const node = managers.has(member.node) ? `${member.node} manager` : String(member.node)
  const start = [node, member.name, member.listen === '' ? '-' : member.listen]
  if (status === undefined) return [...start, 'no answer']
  const { uptimeMs, regions, clients, nodeSessions, memoryBytes, memoryBytesMax, diskBytes, diskBytesMax } =
    status
  return [
    ...start,
    `${Math.floor(uptimeMs / 1000)} s`,
    String(regions),
    groupsText(status),
    ...[clients, nodeSessions].map(String),
    `${inMiB(memoryBytes)} of ${inMiB(memoryBytesMax)}`,
    `${inMiB(diskBytes)} of ${inMiB(diskBytesMax)}`,
    inMiB(status.allocatedBytes),
    status.poolBytes === 0n ? '-' : `${inGiB(status.poolFreeBytes)} of ${inGiB(status.poolBytes)}`,
    damageText(status),
    String(status.releasesPending),
    `${status.messagesSent} in ${inMiB(status.bytesSent)}`,
    `${status.messagesFromClients} in ${inMiB(status.bytesFromClients)}`,
  ]
}

/** Those that it leads, and of them those that lack members; those of which it keeps a copy. */
function groupsText({ groupsLed, groupsShort, groupsBacked }: NodeStatus): string {
  if (groupsLed + groupsBacked === 0) return '-'
  return `${groupsLed}${groupsShort === 0 ? '' : ` (${groupsShort} SHORT)`} ${groupsBacked}`
}

function damageText({ damagedPages, mendedPages }: NodeStatus): string {
  return mendedPages === 0 ? String(damagedPages) : `${damagedPages}, ${mendedPages} mended`
}

function inMiB(bytes: number): string {
  return (bytes / MiB).toFixed(bytes < 10 * MiB ? 1 : 0)
}

function inGiB(bytes: bigint): string {
  return (Number(bytes) / GiB).toFixed(1)
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
