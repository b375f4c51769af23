import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The command, seen from `dist`. */
const khazana = fileURLToPath(new URL('../../../bin/khazana', import.meta.url))

const startMsMax = 30_000
const endMsMax = 15_000
const lastWordsChars = 2000
const readyText = 'ready '

/** A `khazana` that runs until it is ended. An interrupt from the terminal does not reach it: the bench ends it in its turn. */
export class Service {
  /** What it has printed after "ready". */
  readonly ready: string
  readonly #child: ChildProcess
  readonly #kill: () => void

  /** Throws with its last words where it does not get ready. */
  static async start(args: readonly string[], nodeOptions: readonly string[]): Promise<Service> {
    const child = spawn(process.execPath, [...nodeOptions, khazana, ...args], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    child.stderr.on('data', (bytes: Buffer) => {
      said = (said + bytes.toString()).slice(-lastWordsChars)
    })
    const kill = (): void => void child.kill('SIGKILL')
    process.once('exit', kill)
    const ready = await readyLine(child)
    if (ready !== undefined) return new Service(ready, child, kill)
    kill()
    throw new Error(`khazana ${args.join(' ')} does not get ready: ${said}`)
  }

  private constructor(ready: string, child: ChildProcess, kill: () => void) {
    this.ready = ready
    this.#child = child
    this.#kill = kill
  }

  /** By itself, or else by force, which it tells. */
  async end(): Promise<'by itself' | 'by force'> {
    process.off('exit', this.#kill)
    const { exitCode, signalCode } = this.#child
    if (exitCode !== null) return 'by itself'
    if (signalCode !== null) return 'by force'
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    let how: 'by itself' | 'by force' = 'by itself'
    const patience = setTimeout(() => {
      how = 'by force'
      this.#kill()
    }, endMsMax)
    await exited
    clearTimeout(patience)
    return how
  }
}

/** Runs `khazana` to its end: what it printed, without the end of the line. */
export async function khazanaOutput(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [khazana, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const stdout: Buffer[] = []
  child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes))
  const [status] = (await once(child, 'close')) as [number | null]
  if (status !== 0) throw new Error(`khazana ${args.join(' ')} ends with status ${status}`)
  return Buffer.concat(stdout).toString().trimEnd()
}

/** What follows "ready"; undefined where it ends, or takes too long. */
function readyLine(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    const patience = setTimeout(() => resolve(undefined), startMsMax)
    const done = (line: string | undefined): void => {
      clearTimeout(patience)
      resolve(line)
    }
    child.on('error', () => done(undefined))
    child.on('exit', () => done(undefined))
    if (child.stdout === null) return
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith(readyText)) done(line.slice(readyText.length))
    })
  })
}
