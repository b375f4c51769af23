import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { formatAddress } from '../../address/address.js'
import { Khazana } from '../../index.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { ReadyNode } from '../ready.js'
import { counterRange, readCounter } from './counter.js'

export interface CountTogetherOptions {
  readonly nodes: readonly ReadyNode[]
  readonly signal: AbortSignal
}

const incrementsEach = 500
const program = fileURLToPath(new URL('./count.js', import.meta.url))

/** Processes, each at a node of its own, add to one number. Throws `internal` where an addition was lost. */
export async function countTogether(
  { nodes, signal }: CountTogetherOptions,
  say: (line: string) => void,
): Promise<void> {
  const [first] = nodes
  if (first === undefined) return
  await using khazana = await Khazana.connect(first.socket, { signal })
  const region = await khazana.reserve(counterRange.length, { signal })
  await region.allocate(undefined, { signal })

  say(`
3. A number, 0, at address ${formatAddress(region.address)}. ${nodes.length} processes, each a client of another node, now add 1 to it ${incrementsEach} times:
   lock it, read it, write one more, unlock; each unlock waits until the new number is safe on disk.`)
  const started = performance.now()
  const address = formatAddress(region.address)
  await Promise.all(nodes.map(({ socket }) => runCounter([socket, address, String(incrementsEach)], signal)))
  const seconds = (performance.now() - started) / 1000

  const total = await readCounter(region, { signal })
  const expected = nodes.length * incrementsEach
  if (total !== expected)
    throw new KhazanaError('internal', `the number is ${total} and should be ${expected}`)
  say(
    `     ${nodes.length} x ${incrementsEach} = ${total}: no addition was lost. ${seconds.toFixed(2)} s, starting the processes included.`,
  )
}

async function runCounter(args: readonly string[], signal: AbortSignal): Promise<void> {
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    signal,
  })
  const [status] = (await once(child, 'close')) as [number | null]
  if (status !== 0)
    throw new KhazanaError('internal', `a counting process ended with status ${status ?? 'of a signal'}`)
}
