import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KhazanaError } from '../stdx/errors.js'
import { startChildNode } from './child-node.js'
import type { ChildNode } from './child-node.js'
import { countTogether } from './demo/count-together.js'
import { shareFile } from './demo/share-file.js'
import { Interrupts } from './interrupts.js'

const intro = `Khazana is one memory that programs share, on one machine or on several. It keeps what is in it on disk.
This starts three nodes, each a process of its own, in a temporary folder, and lets programs share things through them.`

const outro = `
That is all; everything that was started is stopped, and the folder is gone. To go on:

  bin/khazana cluster --nodes 3 --dir ./cluster       # three nodes, until you press Ctrl-C; in another terminal:
  bin/khazana put package.json --at ./cluster/node-1  # prints an address
  bin/khazana get ADDRESS --at ./cluster/node-3       # prints the file
  bin/khazana nodes --at ./cluster/node-2             # how they are
  bin/khazana --help                                  # what else there is

README.md shows the same from a program, and where to read more. "npm test" runs all checks.`

await demonstrate()

/** A tour in less than half a minute: real processes, real files. Leaves nothing behind. */
async function demonstrate(): Promise<void> {
  using interrupts = Interrupts.listen()
  const folder = await mkdtemp(join(tmpdir(), 'khz-'))
  const nodes: ChildNode[] = []
  try {
    say(intro)
    await startNodes(folder, nodes)
    const [first, second, third] = nodes.map(({ ready }) => ready)
    if (first === undefined || second === undefined || third === undefined) return
    const { signal } = interrupts
    await shareFile({ file: process.execPath, from: second, to: third, signal }, say)
    await countTogether({ nodes: [first, second, third], signal }, say)
  } catch (reason) {
    const { code, message } = KhazanaError.from(reason)
    if (!interrupts.signal.aborted) process.stderr.write(`khazana: ${code}: ${message}\n`)
    process.exitCode ??= 1
  } finally {
    for (const node of nodes) node.stop()
    await Promise.all(nodes.map(({ ended }) => ended))
    await rm(folder, { recursive: true })
  }
  if (process.exitCode === undefined) say(outro)
}

/** Into `nodes`, so that the caller can stop those that run when one does not start. */
async function startNodes(folder: string, nodes: ChildNode[]): Promise<void> {
  const started = performance.now()
  for (const name of ['node-1', 'node-2', 'node-3']) {
    const member = nodes[0] === undefined ? [] : ['--join', nodes[0].ready.listen]
    const args = ['--dir', join(folder, name), '--name', name, '--log-level', 'error', ...member]
    nodes.push(await startChildNode(args, (line) => void process.stderr.write(`${name}: ${line}\n`)))
  }
  say(`
1. Three nodes serve, started in ${inSeconds(performance.now() - started)}: node-1 founded a cluster, the others joined it.`)
  for (const { ready } of nodes) say(`     ${ready.name}: process ${ready.pid}, at ${ready.listen}`)
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
