import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { withResolvers } from '../../src/io/deadline.js'
import { pause } from '../clock.js'
import { startChild } from '../cluster/children.js'
import type { TimedOperation } from '../record.js'
import type { ClientError, FromClient, StartRequest, ToClient } from './messages.js'

const program = fileURLToPath(new URL('./main.js', import.meta.url))
const startMsMax = 60_000
/** More than a lock and its `unlock` are waited for. */
const endMsMax = 60_000

export interface ClientProcessOptions {
  readonly request: Omit<StartRequest, 'kind'>
  /** What runs the command on the client's machine. */
  readonly prefix: readonly string[]
  readonly reported: (operations: readonly TimedOperation[], errors: readonly ClientError[]) => void
  /** It has ended, and nobody had asked it to. */
  readonly crashed: (how: string) => void
}

/** A process of the run that uses global memory, seen from the run. */
export class ClientProcess implements AsyncDisposable {
  readonly #name: string
  readonly #child: ChildProcess
  readonly #ended = withResolvers<'all is told'>()
  readonly #exited: Promise<unknown>

  /** Resolves when it is in. Throws where that takes too long. */
  static async start(options: ClientProcessOptions): Promise<ClientProcess> {
    const client = new ClientProcess(options)
    const started = withResolvers<true>()
    client.#child.on('message', (message) => {
      if ((message as FromClient).kind === 'started') started.resolve(true)
    })
    client.#send({ kind: 'start', ...options.request })
    const over = new AbortController()
    const isIn = await Promise.race([started.promise, client.#exited, pause(startMsMax, over.signal)])
    over.abort()
    if (isIn === true) return client
    await client[Symbol.asyncDispose]()
    throw new Error(`client ${options.request.name} has not come in within ${startMsMax / 1000} s`)
  }

  private constructor({ request, prefix, reported, crashed }: ClientProcessOptions) {
    this.#name = request.name
    const child = startChild([...prefix, process.execPath, '--enable-source-maps', program], {
      stdio: ['ignore', 2, 2, 'ipc'],
      serialization: 'advanced',
    })
    this.#child = child
    // Not `close`: it does not come where this side has let go of the channel.
    this.#exited = once(child, 'exit')
    let isOver = false
    child.on('message', (message) => {
      const told = message as FromClient
      if (told.kind === 'report') reported(told.operations, told.errors)
      if (told.kind !== 'ended') return
      isOver = true
      this.#ended.resolve('all is told')
      child.disconnect()
    })
    child.on('error', (error) => crashed(`client ${request.name} cannot be run: ${error.message}`))
    child.on('exit', (code, signal) => {
      if (!isOver) crashed(`client ${request.name} ended: ${signal ?? `status ${code}`}`)
    })
  }

  /** Lets it end what it is doing; resolves when it has told all. Throws where that takes too long, or it ends before. */
  async stop(): Promise<void> {
    this.#send({ kind: 'stop' })
    const over = new AbortController()
    const how = await Promise.race([this.#ended.promise, this.#exited, pause(endMsMax, over.signal)])
    over.abort()
    if (how === 'all is told') return
    throw new Error(`client ${this.#name} did not come to its end within ${endMsMax / 1000} s`)
  }

  /** A no-op where it does not run. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal)
  }

  /** By force, where it is there still. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL')
    await this.#exited
  }

  #send(message: ToClient): void {
    // Where it is gone, `close` says so.
    if (this.#child.connected) this.#child.send(message, () => undefined)
  }
}
