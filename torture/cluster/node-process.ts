import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseReady } from '../../src/cli/ready.js'
import type { ReadyNode } from '../../src/cli/ready.js'
import { pause } from '../clock.js'
import { startChild } from './children.js'

/** Seen from `dist`, where this file is compiled to. */
const bin = fileURLToPath(new URL('../../../bin/khazana', import.meta.url))
/** How long a node may take until it serves; a loaded machine is slow. */
const startMsMax = 90_000
const lastWordsChars = 2000

export interface NodeProcessOptions {
  /** Its number, from 1. */
  readonly number: number
  readonly dir: string
  /** Where all that it says goes; of all its starts. */
  readonly logFile: string
  /** Of the command, after `khazana node`. */
  readonly args: readonly string[]
  /** What runs the command on the node's machine. */
  readonly prefix: readonly string[]
  /** It has ended, and nobody had asked it to. */
  readonly crashed: (how: string) => void
}

/** A daemon, through all its lives on one directory. */
export class NodeProcess {
  readonly #options: NodeProcessOptions
  #child: ChildProcess | undefined
  #isWanted = false

  constructor(options: NodeProcessOptions) {
    this.#options = options
  }

  get name(): string {
    return `n${this.#options.number}`
  }

  /** Of clients on this machine, whatever network they are in. */
  get socket(): string {
    return `${this.#options.dir}/khazana.sock`
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  /** Resolves when it serves. Throws with its last words where it ends before, or does not serve in time: then it is killed. */
  async start(): Promise<ReadyNode> {
    const { dir, args, prefix, logFile } = this.#options
    const log = openSync(logFile, 'a')
    const child = startChild([...prefix, process.execPath, bin, 'node', '--dir', dir, ...args], {
      // The channel ends with this process, and the node with it, also if this one is killed.
      stdio: ['ignore', 'pipe', log, 'ipc'],
    })
    closeSync(log)
    this.#child = child
    const ended = endOf(child)
    void ended.then((how) => this.#ended(child, how))
    const over = new AbortController()
    const ready = await Promise.race([
      readyOf(child),
      ended,
      pause(startMsMax, over.signal).then(() => `does not serve within ${startMsMax / 1000} s`),
    ])
    over.abort()
    if (typeof ready === 'object' && this.#child === child) {
      this.#isWanted = true
      return ready
    }
    await this.kill()
    throw new Error(
      `${this.name} ${typeof ready === 'object' ? 'ended as soon as it served' : ready}: ${await this.#lastWords()}`,
    )
  }

  /** Resolves when the process is gone. A no-op where there is none. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#isWanted = false
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
  }

  /** A no-op where it does not run. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal)
  }

  #ended(child: ChildProcess, how: string): void {
    if (this.#child !== child) return
    this.#child = undefined
    if (!this.#isWanted) return
    this.#isWanted = false
    void this.#lastWords().then((words) => this.#options.crashed(`${this.name} ${how}: ${words}`))
  }

  async #lastWords(): Promise<string> {
    const log = await readFile(this.#options.logFile, 'utf8')
    return log.slice(-lastWordsChars)
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

/** How it ended, in words; after its last output. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(`could not be started (${error.message})`))
    child.on('close', (code, signal) =>
      resolve(signal === null ? `ended with status ${code}` : `died of ${signal}`),
    )
  })
}
