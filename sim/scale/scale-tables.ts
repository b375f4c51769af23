import type { ScaleResult } from './measure-scale.js'
import type { OperationCost, OperationName, Spread } from './measured.js'
import type { Table } from './table.js'

/** All that was measured, a column for each cluster. */
export function scaleTables(results: readonly ScaleResult[]): Table[] {
  return [
    operationTable('Median of an operation: messages / bytes', results, ({ messages, bytes }) =>
      pair(messages.median, bytes.median),
    ),
    operationTable('Largest of all samples: messages / bytes', results, ({ messages, bytes }) =>
      pair(messages.max, bytes.max),
    ),
    operationTable(
      'Median of an operation: new connections / all bytes on them',
      results,
      ({ connections, newWireBytes }) => pair(connections.median, newWireBytes.median),
    ),
    clusterTable(results),
    memoryTable(results),
  ]
}

function operationTable(
  title: string,
  results: readonly ScaleResult[],
  cellOf: (cost: OperationCost) => string,
): Table {
  const names = new Set(results.flatMap(({ operations }) => operations.map(({ name }) => name)))
  return {
    title,
    head: headOf('nodes', results),
    rows: [...names].map((name) => [name, ...results.map((result) => cell(result, name, cellOf))]),
  }
}

function cell(
  { operations }: ScaleResult,
  name: OperationName,
  cellOf: (cost: OperationCost) => string,
): string {
  const cost = operations.find((operation) => operation.name === name)
  return cost === undefined ? '-' : cellOf(cost)
}

function clusterTable(results: readonly ScaleResult[]): Table {
  const row = (name: string, valueOf: (result: ScaleResult) => string): string[] => [
    name,
    ...results.map(valueOf),
  ]
  return {
    title: 'The cluster',
    head: headOf('nodes', results),
    rows: [
      row('sessions of a node at rest, median / largest', ({ sessions: { atRest } }) => spread(atRest)),
      row('sessions of the manager at rest', ({ sessions }) => number(sessions.ofManager)),
      row('nothing to do, for a lease: messages / bytes a session', ({ rest }) =>
        pair(rest.messages, rest.bytesPerSession),
      ),
      row('one node joins: messages / bytes', ({ join }) => pair(join.messages, join.bytes)),
      row('list of all members, bytes', ({ membersBytes }) => number(membersBytes)),
      row('root of the map: entries / pages', ({ map }) => pair(map?.root.entries, map?.root.pages)),
      row('pages from its root to a pool', ({ map }) => number(map?.root.depth)),
      row('map of a pool: entries / pages', ({ map }) => pair(map?.pool.entries, map?.pool.pages)),
      row('samples of an operation, most / fewest', ({ operations }) => {
        const counts = operations.map(({ samples }) => samples)
        return pair(Math.max(...counts), Math.min(...counts))
      }),
      row('simulated, s', ({ virtualMs }) => number(Math.round(virtualMs / 1000))),
      row('events', ({ events }) => number(events)),
    ],
  }
}

function memoryTable(results: readonly ScaleResult[]): Table {
  const row = (name: string, valueOf: (memory: ScaleResult['memory']) => string): string[] => [
    name,
    ...results.map(({ memory }) => valueOf(memory)),
  ]
  return {
    title: 'Memory and disk, bytes',
    head: headOf('nodes', results),
    rows: [
      row('memory for each node without regions', ({ perNode }) => number(perNode)),
      row('memory for each region, at all nodes together', ({ perRegion }) => number(perRegion)),
      row('of that, page frames', ({ framesPerRegion }) => number(framesPerRegion)),
      row('memory for a region that a node only knows of', ({ perDirectoryEntry }) =>
        number(perDirectoryEntry),
      ),
      row('memory of all nodes together', ({ whole }) => number(whole)),
      row('disk for each node without regions', ({ diskPerNode }) => number(diskPerNode)),
      row('disk for each region', ({ diskPerRegion }) => number(diskPerRegion)),
    ],
  }
}

function headOf(first: string, results: readonly ScaleResult[]): string[] {
  return [first, ...results.map(({ nodes }) => number(nodes))]
}

function spread({ median, max }: Spread): string {
  return pair(median, max)
}

function pair(a: number | undefined, b: number | undefined): string {
  return a === undefined && b === undefined ? '-' : `${number(a)} / ${number(b)}`
}

function number(value: number | undefined): string {
  return value === undefined ? '-' : value.toLocaleString('en-US')
}
