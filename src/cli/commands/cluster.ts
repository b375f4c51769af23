import { join, resolve } from 'node:path'
import { Option } from 'commander'
import type { Command } from 'commander'
import { KhazanaError } from '../../stdx/errors.js'
import { sizeArgument, wholeNumber } from '../arguments.js'
import { startChildNode } from '../child-node.js'
import type { ChildNode } from '../child-node.js'
import { loadPlugins, pluginOption } from '../plugin-modules.js'
import { formatReady } from '../ready.js'
import { writeLine } from '../standard-output.js'
import { StopRequest } from '../stop-request.js'
import { leaseArgument } from './node.js'
import { describedCommand } from '../described-command.js'

interface Options {
  readonly nodes: number
  readonly dir: string
  readonly memory?: number
  readonly disk?: number
  readonly lease?: number
  readonly autoMigrate?: true
  readonly plugin?: readonly string[]
  readonly logLevel: string
}

const nodesMax = 64

const description = `Run several nodes on this machine.

Each is a process of its own, in DIR/node-1, DIR/node-2 and so on. The first founds the cluster. Prints "ready {...}" when all serve. Stops them all on SIGTERM and SIGINT. A node that dies
is told of on stderr; the others go on.`

const examples = `  khazana cluster --nodes 3 --dir ./cluster
  khazana nodes --at ./cluster/node-2`

export function addCluster(program: Command): void {
  describedCommand(program, 'cluster', description, examples)
    .requiredOption('--nodes <n>', 'how many', wholeNumber(1, nodesMax))
    .requiredOption('--dir <dir>', 'where they keep everything; made where it is missing')
    .option('--memory <size>', 'RAM for pages, each (default: 256MiB)', sizeArgument)
    .option('--disk <size>', 'room on disk, each (default: 8GiB)', sizeArgument)
    .option('--auto-migrate', 'move regions to the nodes that use them most')
    .addOption(pluginOption())
    .option('--lease <ms>', 'how long a silent peer keeps its rights (default: 3000)', leaseArgument)
    .addOption(
      new Option('--log-level <level>', 'the least that is logged, on stderr')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('warn'),
    )
    .action(runCluster)
}

async function runCluster(options: Options): Promise<void> {
  // Each node loads them for itself; what is wrong with them is better told once, before anything runs.
  await loadPlugins(options.plugin, 'node')
  using stop = StopRequest.listen()
  const children: ChildNode[] = []
  try {
    for (let number = 1; number <= options.nodes; number++) {
      children.push(await startMember(options, number, children[0]))
    }
    await writeLine(formatReady({ pid: process.pid, nodes: children.map(({ ready }) => ready) }))
    const all = Promise.all(children.map((child) => tellOfEnd(child)))
    const reason = await Promise.race([stop.requested, all])
    if (typeof reason !== 'string') throw new KhazanaError('closed', 'all nodes have ended')
  } catch (error) {
    // The keys that stop this process stop the nodes too, also one that has not served yet.
    if (!stop.isMade) throw error
  } finally {
    for (const child of children) child.stop()
    await Promise.all(children.map(({ ended }) => ended))
  }

  async function tellOfEnd({ ready, ended }: ChildNode): Promise<void> {
    const how = await ended
    say(`${ready.name} (process ${ready.pid}) ${how}`)
  }
}

function startMember(options: Options, number: number, founding: ChildNode | undefined): Promise<ChildNode> {
  const { dir, memory, disk, lease, logLevel, autoMigrate, plugin = [] } = options
  const name = `node-${number}`
  const args = [
    ...['--dir', resolve(join(dir, name)), '--name', name, '--log-level', logLevel],
    ...(founding === undefined ? [] : ['--join', founding.ready.listen]),
    ...(memory === undefined ? [] : ['--memory', String(memory)]),
    ...(disk === undefined ? [] : ['--disk', String(disk)]),
    ...(lease === undefined ? [] : ['--lease', String(lease)]),
    ...(autoMigrate === true ? ['--auto-migrate'] : []),
    ...plugin.flatMap((module) => ['--plugin', module]),
  ]
  return startChildNode(args, (line) => process.stderr.write(`${name}: ${line}\n`))
}

function say(line: string): void {
  process.stderr.write(`khazana: ${line}\n`)
}
