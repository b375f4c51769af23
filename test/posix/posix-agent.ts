import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Calls } from './agent/calls.js'
import type { AgentAnswer, AgentRequest } from './agent/main.js'
import { PosixError } from './agent/posix-error.js'

type Remote<Table> = {
  readonly [Name in keyof Table]: Table[Name] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Promise<Result>
    : never
}

/** A process that makes system calls: a method for each call. A call that fails rejects with a `PosixError`. */
export type PosixAgent = AgentProcess & Remote<Calls>

/** No call takes so long, but one that waits for ever. */
const callMsMax = 15_000

const program = fileURLToPath(new URL('agent/main.js', import.meta.url))

/** After which an agent that was killed counts as stuck. */
const stuckMs = 5_000

/** How an agent ended: its exit status, or the signal that killed it. */
export type AgentEnd = number | NodeJS.Signals | 'stuck'

export async function startAgent(): Promise<PosixAgent> {
  const child = spawn(process.execPath, ['--enable-source-maps', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const agent = new AgentProcess(child)
  const answering: ProxyHandler<AgentProcess> = {
    get: (target, name) => {
      if (name in target || typeof name !== 'string' || name === 'then') {
        const own: unknown = Reflect.get(target, name, target)
        return typeof own === 'function' ? (own.bind(target) as unknown) : own
      }
      return (...args: readonly unknown[]) => target.request({ call: name, args })
    },
  }
  const proxy = new Proxy(agent, answering) as PosixAgent
  await proxy.reset()
  return proxy
}

/** The process, whatever it can do. Requests are answered one after the other. */
export class AgentProcess {
  readonly ended: Promise<AgentEnd>
  readonly #child: ChildProcess
  readonly #waiting: {
    readonly settle: (answer: AgentAnswer) => void
    readonly fail: (error: Error) => void
  }[] = []
  #isAlive = true

  constructor(child: ChildProcess) {
    this.#child = child
    this.ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as AgentEnd)
    if (child.stdout === null) throw new Error('stdout is piped')
    child.stdin?.on('error', () => undefined)
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#waiting.shift()?.settle(JSON.parse(line) as AgentAnswer)
    })
    void this.ended.then((end) => this.#failAll(`the agent ended: ${end}`))
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  /** Whether it has been asked what it has not answered. */
  get isBusy(): boolean {
    return this.#waiting.length > 0
  }

  async request(request: AgentRequest): Promise<unknown> {
    const what = `${request.call}(${JSON.stringify(request.args).slice(1, -1).slice(0, 200)})`
    if (!this.#isAlive) throw new Error(`${what}: the agent has ended`)
    const answer = await new Promise<AgentAnswer>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`${what} has taken more than ${callMsMax} ms`))
        void this.kill()
      }, callMsMax)
      this.#waiting.push({
        settle: (settled) => {
          clearTimeout(timer)
          resolve(settled)
        },
        fail: (error) => {
          clearTimeout(timer)
          reject(error)
        },
      })
      this.#child.stdin?.write(`${JSON.stringify(request)}\n`)
    })
    if (answer.kind === 'value') return answer.value
    if (answer.kind === 'errno') throw new PosixError(answer.errno, what)
    throw new Error(`${what}: ${answer.message}`)
  }

  /**
   * As kill -9 does. Resolves when it is gone; or with `stuck` when it stays, in a call that the kernel does not break
   * off, and is then left to itself: the suite goes on.
   */
  async kill(): Promise<AgentEnd> {
    this.#child.kill('SIGKILL')
    const patience = new AbortController()
    const stuck = delay(stuckMs, 'stuck' as const, { signal: patience.signal }).catch(() => 'stuck' as const)
    const end = await Promise.race([this.ended, stuck])
    patience.abort()
    if (end === 'stuck') this.#abandon()
    return end
  }

  #abandon(): void {
    this.#failAll('the agent is stuck')
    this.#child.stdin?.destroy()
    this.#child.stdout?.destroy()
    this.#child.unref()
  }

  #failAll(reason: string): void {
    this.#isAlive = false
    for (const { fail } of this.#waiting.splice(0)) fail(new Error(reason))
  }
}
