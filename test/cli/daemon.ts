import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseReady } from '../../src/cli/ready.js'
import type { ReadyNode } from '../../src/cli/ready.js'
import { bin } from './command.js'

/** Short, so that tests which wait for rights of the dead to end are quick. */
const leaseMs = 500

/** A process that runs `khazana node`. */
export class Daemon implements AsyncDisposable {
  readonly ready: ReadyNode
  readonly dir: string
  readonly #child: ChildProcess
  /** The exit status, or the signal that it died of. */
  readonly ended: Promise<number | NodeJS.Signals>
  readonly #log: string[]

  /** Resolves when it serves; throws with what it said where it ends instead. */
  static async start(dir: string, args: readonly string[] = []): Promise<Daemon> {
    const child = spawn(process.execPath, [bin, 'node', '--dir', dir, '--lease', String(leaseMs), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const log: string[] = []
    child.stderr.on('data', (bytes: Buffer) => log.push(bytes.toString()))
    const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
    const ready = await Promise.race([readyOf(child), ended])
    if (typeof ready === 'object') return new Daemon(dir, child, ready, ended, log)
    throw new Error(`the node ended (${ready}): ${log.join('')}`)
  }

  private constructor(
    dir: string,
    child: ChildProcess,
    ready: ReadyNode,
    ended: Promise<number | NodeJS.Signals>,
    log: string[],
  ) {
    this.dir = dir
    this.ready = ready
    this.#child = child
    this.ended = ended
    this.#log = log
  }

  /** For `--at`. */
  get at(): string {
    return this.ready.socket
  }

  get log(): string {
    return this.#log.join('')
  }

  /** Sends the signal and waits for the end: the exit status, or the signal that it died of. */
  async end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    this.#child.kill(signal)
    return this.ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
  }
}

async function readyOf(child: ChildProcess): Promise<ReadyNode> {
  const { stdout } = child
  if (stdout === null) throw new Error('stdout is piped')
  return new Promise((resolve) => {
    createInterface({ input: stdout }).on('line', (line) => {
      const ready = parseReady(line)
      if (ready !== undefined) resolve(ready)
    })
  })
}

/** A folder for one test, with a path that is short enough for sockets; gone at the end. */
export class TemporaryFolder implements AsyncDisposable {
  readonly path: string

  static async make(): Promise<TemporaryFolder> {
    return new TemporaryFolder(await mkdtemp(join(tmpdir(), 'khz-')))
  }

  private constructor(path: string) {
    this.path = path
  }

  in(...names: string[]): string {
    return join(this.path, ...names)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }
}
