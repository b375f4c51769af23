import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Answer, Request } from './messages.js'
import type { Part } from './part.js'

/** How long a process may take to end by itself. */
const endMs = 10_000

/** A part in another process. */
export interface Remote<A extends object> {
  call<N extends keyof A & string>(action: N, ...argument: ArgumentsOf<A[N]>): Promise<ResultOf<A[N]>>
}

type ArgumentsOf<F> = F extends (...argument: infer P) => unknown ? P : never
type ResultOf<F> = F extends (argument: never) => infer R ? Awaited<R> : never

/** What a part has thrown. */
export class RemoteError extends Error {
  /** Of a `KhazanaError`. */
  readonly code: string | undefined

  constructor(message: string, code: string | undefined) {
    super(message)
    this.code = code
  }
}

export interface WorkerOptions {
  /** For people, and for the name of its profile. */
  readonly name: string
  /** Where to write a CPU profile at the end. */
  readonly profileDirectory: string | undefined
}

/** A process of the bench's own, seen from the bench. It ends with the bench, whatever happens to either. */
export class Worker {
  readonly #name: string
  readonly #child: ChildProcess
  readonly #open = new Map<number, { resolve(value: unknown): void; reject(reason: unknown): void }>()
  #id = 0

  private constructor(name: string, child: ChildProcess) {
    this.#name = name
    this.#child = child
  }

  static start({ name, profileDirectory }: WorkerOptions): Worker {
    const profile = ['--cpu-prof', `--cpu-prof-dir=${profileDirectory}`, `--cpu-prof-name=${name}.cpuprofile`]
    const child = fork(fileURLToPath(new URL('child.js', import.meta.url)), [], {
      execArgv: profileDirectory === undefined ? [] : profile,
      serialization: 'advanced',
      // What it prints is for people: stdout belongs to the table.
      stdio: ['ignore', 2, 2, 'ipc'],
    })
    const worker = new Worker(name, child)
    child.on('message', (answer) => {
      worker.#answered(answer as Answer)
    })
    child.on('exit', (code, signal) => {
      worker.#failAll(new Error(`process ${name} has ended: ${signal ?? `status ${code}`}`))
    })
    child.on('error', (error) => {
      worker.#failAll(error)
    })
    return worker
  }

  /** Starts a part in the process. */
  async create<Settings, A extends object>(part: Part<Settings, A>, settings: Settings): Promise<Remote<A>> {
    const id = ++this.#id
    await this.#ask({ kind: 'create', id, part: part.name, settings })
    return {
      call: async (action, ...[argument]) => {
        const call = { kind: 'call', id: ++this.#id, part: id, action, argument } as const
        // The other side runs the very part whose type this is.
        return (await this.#ask(call)) as never
      },
    }
  }

  /** Ends the process: by itself, or else by force. */
  async end(): Promise<void> {
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise<void>((resolve) => {
      child.once('exit', () => resolve())
    })
    const patience = setTimeout(() => this.kill(), endMs)
    if (child.connected) child.send({ kind: 'end' } satisfies Request)
    else this.kill()
    await exited
    clearTimeout(patience)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #ask(request: Exclude<Request, { readonly kind: 'end' }>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#open.set(request.id, { resolve, reject })
      this.#child.send(request, (error) => {
        if (error !== null) this.#failAll(error)
      })
    })
  }

  #answered(answer: Answer): void {
    const open = this.#open.get(answer.id)
    this.#open.delete(answer.id)
    if (answer.kind === 'done') open?.resolve(answer.result)
    else open?.reject(new RemoteError(`in process ${this.#name}: ${answer.message}`, answer.code))
  }

  #failAll(error: Error): void {
    for (const open of this.#open.values()) open.reject(error)
    this.#open.clear()
  }
}
