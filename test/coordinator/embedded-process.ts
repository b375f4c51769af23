import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Answer, AnswerTo, ChangesRequest, Request } from '../../src/coordinator/request.js'
import { defaultTimeoutMs, within, withResolvers } from '../../src/io/deadline.js'
import type { Resolvers, WaitOptions } from '../../src/io/deadline.js'
import { nodeClock } from '../../src/io/node/clock.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import type { ErrorCode } from '../../src/stdx/errors.js'

import { stopProcess } from './stop-process.js'
export interface ChildRequest {
  readonly id: number
  readonly request: Request | ChangesRequest
  readonly timeoutMs: number
}

export type ChildAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: Answer }
  | { readonly kind: 'failure'; readonly id: number; readonly code: ErrorCode; readonly message: string }

/** An embedded coordinator in a process of its own, which can be killed, stopped and started again on its directory. */
export class EmbeddedProcess implements AsyncDisposable {
  readonly #directory: string
  readonly #open = new Map<number, Resolvers<Answer>>()
  #child: ChildProcess | undefined
  #isReady = false
  #lastId = 0

  private constructor(directory: string) {
    this.#directory = directory
  }

  static async start(directory: string): Promise<EmbeddedProcess> {
    const process = new EmbeddedProcess(directory)
    await process.#start()
    return process
  }

  async ask<R extends Request | ChangesRequest>(request: R, wait: WaitOptions): Promise<AnswerTo<R>> {
    const child = this.#child
    if (child === undefined || !this.#isReady) throw new KhazanaError('unreachable', 'it does not run')
    const id = ++this.#lastId
    const answered = withResolvers<Answer>()
    this.#open.set(id, answered)
    const { timeoutMs = defaultTimeoutMs } = wait
    const message: ChildRequest = { id, request, timeoutMs }
    // What is said to a process that is being killed is lost.
    child.send(message, () => undefined)
    try {
      // The process answers each request with what belongs to it.
      return (await within(nodeClock, request.kind, wait, answered.promise)) as AnswerTo<R>
    } finally {
      this.#open.delete(id)
    }
  }

  /** Resolves when it stands still. */
  async stop(): Promise<void> {
    if (this.#child !== undefined) await stopProcess(this.#child)
  }

  goOn(): void {
    this.#child?.kill('SIGCONT')
  }

  async killAndRestart(): Promise<void> {
    await this.#end()
    await this.#start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end()
  }

  async #start(): Promise<void> {
    const child = fork(new URL('embedded-child.js', import.meta.url), [this.#directory], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#child = child
    const ready = withResolvers<void>()
    child.on('message', (message: ChildAnswer) => this.#heard(message, ready))
    child.on('close', () => ready.reject(new Error('the process ended before it was ready')))
    await ready.promise
    this.#isReady = true
  }

  #heard(message: ChildAnswer, ready: Resolvers<void>): void {
    switch (message.kind) {
      case 'ready':
        ready.resolve()
        break
      case 'answer':
        this.#open.get(message.id)?.resolve(message.answer)
        break
      case 'failure':
        this.#open.get(message.id)?.reject(new KhazanaError(message.code, message.message))
        break
    }
  }

  async #end(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#isReady = false
    this.#child = undefined
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
    for (const { reject } of this.#open.values()) {
      reject(new KhazanaError('outcome-unknown', 'the process was killed before it answered'))
    }
  }
}
