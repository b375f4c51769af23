import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { withResolvers } from '../io/deadline.js'
import { KhazanaError } from '../stdx/errors.js'
import { parseReady } from './ready.js'
import type { ReadyNode } from './ready.js'

const program = fileURLToPath(new URL('./main.js', import.meta.url))

export interface ChildNode {
  readonly ready: ReadyNode
  /** Resolves when the process has ended, with how, in words. */
  readonly ended: Promise<string>
  /** Asks it to stop; `ended` tells when it has. It also stops when this process ends, in whatever way. */
  stop(): void
  kill(): void
}

/**
 * Starts `khazana node` with these arguments in a process of its own; resolves when it serves. Lines that it logs go to
 * `log`. Throws `internal` where it ends before, with its last words.
 */
export async function startChildNode(
  args: readonly string[],
  log: (line: string) => void,
): Promise<ChildNode> {
  const child = spawn(process.execPath, [...process.execArgv, program, 'node', ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const ready = withResolvers<ReadyNode>()
  let lastWords = ''
  forEachLine(child.stderr, (line) => {
    lastWords = line
    log(line)
  })
  forEachLine(child.stdout, (line) => {
    const told = parseReady(line)
    if (told !== undefined) ready.resolve(told)
  })
  const ended = endOf(child)
  void ended.then((how) =>
    ready.reject(new KhazanaError('internal', `a node ${how} before it served: ${lastWords}`)),
  )
  const stop = (): void => {
    // Not a signal: the keys that stop a terminal's processes have sent one, and a second one would kill.
    if (child.connected) child.send('stop', () => undefined)
  }
  return { ready: await ready.promise, ended, stop, kill: () => void child.kill('SIGKILL') }
}

function forEachLine(stream: Readable | null, use: (line: string) => void): void {
  if (stream !== null) createInterface({ input: stream }).on('line', use)
}

/** After its last output. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(`could not be started (${error.message})`))
    child.on('close', (code, signal) =>
      resolve(signal === null ? `ended with status ${code}` : `died of ${signal}`),
    )
  })
}
