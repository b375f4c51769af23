import { join, resolve } from 'node:path'
import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import { socketIn } from '../../client/open.js'
import { lineLogger } from '../../io/node/logger.js'
import { nodeWorld } from '../../io/node/world.js'
import type { Logger, LogLevel } from '../../io/logger.js'
import { contactMsMax } from '../../node/contact.js'
import { parseEndpoint, unixEndpoint } from '../../node/endpoint-text.js'
import { Node } from '../../node/node.js'
import { scrubEveryMsMax } from '../../node/node-options.js'
import type { NodeOptions } from '../../node/node-options.js'
import { coordinatorOf, parseCoordinator } from '../../coordinator-option.js'
import type { CoordinatorChoice } from '../../coordinator-option.js'
import { KhazanaError } from '../../stdx/errors.js'
import { sizeArgument, wholeNumber } from '../arguments.js'
import { hostAndPortArgument } from '../endpoint-argument.js'
import { loadPlugins, pluginOption } from '../plugin-modules.js'
import { formatReady } from '../ready.js'
import { writeLine } from '../standard-output.js'
import { StopRequest } from '../stop-request.js'
import { readTls } from '../tls-files.js'
import { describedCommand } from '../described-command.js'

interface Options {
  readonly dir: string
  readonly name?: string
  readonly listen: string
  readonly join?: string
  readonly memory?: number
  readonly disk?: number
  readonly coordinator: CoordinatorChoice
  readonly coordinatorCa?: string
  readonly coordinatorCert?: string
  readonly coordinatorKey?: string
  readonly drain?: true
  readonly autoMigrate?: true
  readonly insecure?: true
  readonly acceptDamage?: true
  readonly plugin?: readonly string[]
  readonly lease?: number
  readonly restoreRate?: number
  readonly scrubEvery?: number
  readonly logLevel: LogLevel
  readonly logJson?: true
}

/** A bug was met: what is in memory can be trusted no more. */
const bugStatus = 70
const nameCharsMax = 64
/** How long a node that was told to stop may take to hand over what it has. A second signal stops it at once. */
const drainMsMax = 24 * 60 * 60 * 1000
/** It stopped, and is still a member: that of EX_TEMPFAIL. */
const notDrainedStatus = 75

export const leaseArgument = wholeNumber(100, 600_000)

const scrubArgument = wholeNumber(0, scrubEveryMsMax)

const description = `Run a node in the foreground.

It keeps memory in DIR, shares it with other nodes and serves clients. A new DIR founds a cluster, or with --join becomes a member of one; a DIR of an earlier run goes on as what it was.
Prints "ready {...}" when it serves: clients of this machine find it at the socket in DIR. Stops cleanly on SIGTERM and
SIGINT; a second signal stops it at once, and what was acknowledged is safe even then. It is a member of its cluster until
it leaves it: see khazana leave, and --drain.`

const examples = `  khazana node --dir ./a --listen 127.0.0.1:7400
  khazana node --dir ./b --join 127.0.0.1:7400
  khazana node --dir ./c --join 127.0.0.1:7400 --memory 1GiB --disk 100GiB
  khazana node --dir ./d --plugin ./my-protocol.mjs`

export function addNode(program: Command): void {
  describedCommand(program, 'node', description, examples)
    .requiredOption('--dir <dir>', 'where it keeps everything; made where it is missing')
    .option('--name <name>', 'for people (default: node-N)', nameArgument)
    .option(
      '--listen <host:port>',
      'for other nodes and clients; port 0 is any free one, and kept',
      hostAndPortArgument,
      '127.0.0.1:0',
    )
    .option(
      '--join <host:port>',
      `any node of the cluster to join; waited for up to ${contactMsMax / 1000} s`,
      hostAndPortArgument,
    )
    .option('--memory <size>', 'RAM for pages (default: 256MiB)', sizeArgument)
    .option('--disk <size>', 'room on disk (default: 8GiB)', sizeArgument)
    .addOption(
      new Option(
        '--coordinator <kind>',
        'who keeps leases and epochs, the same for all nodes: "embedded" (the node that founded the cluster), or etcd://HOST:PORT,...',
      )
        .default('embedded')
        .argParser(coordinatorArgument),
    )
    .option('--coordinator-ca <file>', 'talk TLS to the etcd, and believe these authorities')
    .option('--coordinator-cert <file>', 'what this node shows to the etcd')
    .option('--coordinator-key <file>', 'the key of that')
    .option(
      '--drain',
      'on SIGTERM, leave the cluster for good: hand everything over to other nodes, then stop',
    )
    .option('--auto-migrate', 'move regions that are homed here to the nodes that use them most')
    .option('--insecure', 'listen where other machines can reach it, without TLS')
    .option('--accept-damage', 'start although the log is damaged, with what of it is intact')
    .addOption(pluginOption())
    .option('--lease <ms>', 'how long a silent peer keeps its rights (default: 3000)', leaseArgument)
    .option(
      '--restore-rate <size>',
      'what new members of its home groups are sent in a second, at most (default: 64MiB)',
      sizeArgument,
    )
    .option(
      '--scrub-every <ms>',
      'time between two readings of all that is on the disk; 0: never (default: a day)',
      scrubArgument,
    )
    .addOption(
      new Option('--log-level <level>', 'the least that is logged, on stderr')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .option('--log-json', 'log in JSON, one object a line')
    .action(serve)
}

/** The exit status of a node whose disk has failed: that of EX_IOERR. */
const storageFailedStatus = 74

async function serve(options: Options): Promise<void> {
  const logger = lineLogger({ level: options.logLevel, format: options.logJson === true ? 'json' : 'text' })
  const plugins = await loadPlugins(options.plugin, 'node')
  stopOnBugs(logger)
  using stop = StopRequest.listen()
  const { socketPath, socket } = socketOf(options.dir)
  const { name, join: peer, memory, disk, lease, insecure, acceptDamage, restoreRate, scrubEvery } = options
  const node = await startedNode(stop, {
    world: nodeWorld(logger),
    directory: options.dir,
    ...plugins,
    ...(await coordinatorFrom(options)),
    socketPath,
    listen: parseEndpoint(options.listen),
    ...(name === undefined ? {} : { name }),
    ...(peer === undefined ? {} : { join: parseEndpoint(peer) }),
    ...(memory === undefined ? {} : { memoryBytesMax: memory }),
    ...(disk === undefined ? {} : { diskBytesMax: disk }),
    ...(lease === undefined ? {} : { leaseMs: lease }),
    ...(restoreRate === undefined ? {} : { restoreBytesPerSecond: restoreRate }),
    ...(scrubEvery === undefined ? {} : { scrubEveryMs: scrubEvery }),
    autoMigrate: options.autoMigrate === true,
    insecure: insecure === true,
    acceptDamage: acceptDamage === true,
    left: () => {
      stop.make('it has left the cluster')
    },
    storageFailed: () => {
      process.exitCode = storageFailedStatus
      stop.make('the disk has failed')
    },
  })
  if (node === undefined) {
    logger.log('info', 'stopped before it served')
    return
  }
  const ready = { node: node.identity.node, name: node.name, listen: node.listen, socket, pid: process.pid }
  logger.log('info', 'serving', ready)
  await announce(formatReady(ready), logger)
  void node.checkCoordinator()
  const reason = await stop.requested
  logger.log('info', 'stopping', { reason })
  if (options.drain === true && reason === 'SIGTERM') await drain(node, logger)
  await node.close()
  logger.log('info', 'stopped')
}

/** Undefined where it was asked to stop while it waited for a node to join. */
async function startedNode(stop: StopRequest, options: NodeOptions): Promise<Node | undefined> {
  const starting = new AbortController()
  void stop.requested.then((why) => {
    starting.abort(why)
  })
  try {
    return await Node.start({ ...options, signal: starting.signal })
  } catch (reason) {
    if (stop.isMade && KhazanaError.from(reason).code === 'aborted') return undefined
    throw reason
  }
}

/** Where it cannot be done the node stops all the same, with what it has, and can be started again. */
async function drain(node: Node, logger: Logger): Promise<void> {
  try {
    await node.leave({ timeoutMs: drainMsMax })
  } catch (reason) {
    process.exitCode = notDrainedStatus
    const { code, message } = KhazanaError.from(reason)
    logger.log('error', 'this node stops without having left the cluster', { code, reason: message })
  }
}

/** Whoever started the node may not listen: it serves all the same. */
async function announce(line: string, logger: Logger): Promise<void> {
  try {
    await writeLine(line)
  } catch (reason) {
    logger.log('warn', 'nobody takes what is printed on stdout', { reason: String(reason) })
  }
}

/** The shorter path of two for the node, as systems take only short ones; for others the absolute one if it can be. */
function socketOf(dir: string): { readonly socketPath: string; readonly socket: string } {
  const typed = join(socketIn(dir))
  const absolute = resolve(typed)
  const socketPath = Buffer.byteLength(typed) < Buffer.byteLength(absolute) ? typed : absolute
  unixEndpoint(socketPath)
  return { socketPath, socket: absolute }
}

function stopOnBugs(logger: Logger): void {
  const stop = (reason: unknown): void => {
    const stack = reason instanceof Error ? reason.stack : String(reason)
    logger.log('error', 'a bug stops the node; what was acknowledged is safe', { stack })
    process.exit(bugStatus)
  }
  process.on('uncaughtException', stop)
  process.on('unhandledRejection', stop)
}

function coordinatorArgument(text: string): CoordinatorChoice {
  try {
    return parseCoordinator(text)
  } catch (reason) {
    throw new InvalidArgumentError(`${KhazanaError.from(reason).message}.`)
  }
}

async function coordinatorFrom(options: Options): Promise<ReturnType<typeof coordinatorOf>> {
  const { coordinator, coordinatorCa: ca, coordinatorCert: cert, coordinatorKey: key } = options
  const isTls = ca !== undefined || cert !== undefined || key !== undefined
  if (!isTls) return coordinatorOf(coordinator)
  if (coordinator === 'embedded') {
    throw new KhazanaError(
      'invalid-argument',
      'certificates for the coordinator need --coordinator etcd://...',
    )
  }
  const files = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  }
  return coordinatorOf({ ...coordinator, tls: await readTls(files) })
}

function nameArgument(text: string): string {
  if (/^[0-9]+$/.test(text)) throw new InvalidArgumentError('a number alone is that of a node, and no name.')
  if (/^[A-Za-z0-9._-]+$/.test(text) && text.length <= nameCharsMax) return text
  throw new InvalidArgumentError(`1 to ${nameCharsMax} letters, digits, ".", "_" and "-".`)
}
