import { Option } from 'commander'
import type { Command } from 'commander'
import { Khazana } from '../index.js'
import type { Khazana as KhazanaClient } from '../client/khazana.js'
import { defaultTimeoutMs } from '../io/deadline.js'
import type { WaitOptions } from '../io/deadline.js'
import { secondsArgument } from './arguments.js'
import { describedCommand } from './described-command.js'
import { endpointArgument } from './endpoint-argument.js'
import { Interrupts } from './interrupts.js'
import { loadPlugins } from './plugin-modules.js'

export interface ClientOptions {
  readonly at?: string
  /** Milliseconds. */
  readonly timeout?: number
  /** Modules, for commands that take locks. */
  readonly plugin?: readonly string[]
  /** Bytes of pages that it keeps, for commands that last. */
  readonly memory?: number
}

/** What a command works with: its connection, and how long each of its steps may wait. */
export interface Client {
  readonly khazana: KhazanaClient
  readonly wait: Required<WaitOptions>
}

/** What `--timeout` of a command is for, and how long that is unless it is told. */
export interface Patience {
  readonly what: string
  /** Milliseconds. */
  readonly defaultMs: number
}

const patienceOfSteps: Patience = {
  what: 'how long one step may wait for the node or for a lock',
  defaultMs: defaultTimeoutMs,
}

/** A command that is a client of a node; its texts as for `describedCommand`. */
export function clientCommand(
  program: Command,
  name: string,
  description: string,
  examples: string,
  { what, defaultMs }: Patience = patienceOfSteps,
): Command {
  return describedCommand(program, name, description, examples)
    .addOption(
      new Option('--at <endpoint>', 'the node: its socket, its directory, or host:port')
        .env('KHAZANA_AT')
        .argParser(endpointArgument),
    )
    .option('--timeout <seconds>', `${what} (default: ${defaultMs / 1000})`, secondsArgument)
}

/** Connects as the options say, and closes the connection whatever happens. An interrupt ends what waits. */
export async function withClient<T>(command: Command, use: (client: Client) => Promise<T>): Promise<T> {
  const { at, timeout: timeoutMs = defaultTimeoutMs, plugin, memory } = command.opts<ClientOptions>()
  if (at === undefined) {
    return command.error(
      'error: which node? Give --at ENDPOINT, or set KHAZANA_AT in the environment: the socket of a node on this ' +
        'machine (DIR/khazana.sock, or just DIR), or host:port',
    )
  }
  const plugins = await loadPlugins(plugin, 'client')
  using interrupts = Interrupts.listen()
  const wait = { timeoutMs, signal: interrupts.signal }
  const name = `khazana ${command.name()}`
  const limits = memory === undefined ? {} : { memoryBytesMax: memory }
  const khazana = await Khazana.connect(at, { ...wait, ...plugins, ...limits, name })
  try {
    return await use({ khazana, wait })
  } finally {
    await khazana.close()
  }
}
