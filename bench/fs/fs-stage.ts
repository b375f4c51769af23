import { access, constants, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from '../process/worker.js'
import type { Remote } from '../process/worker.js'
import type { Amounts } from './amounts.js'
import { fsAgentPart } from './agent/fs-agent.js'
import type { FsAgentActions } from './agent/fs-agent.js'

/** The checkout, seen from `dist`. */
export const project = fileURLToPath(new URL('../../../', import.meta.url))

const kernelCaches = '/proc/sys/vm/drop_caches'
const allCaches = '3\n'
/** How long an agent may take to end by itself. */
const agentEndMs = 1000

export type FsAgent = Remote<FsAgentActions>

/** The processes that work in the file systems, and a directory on the local disk. All of it is gone after `end`. */
export class FsStage {
  readonly amounts: Amounts
  /** On the local disk, for whatever is needed besides. */
  readonly root: string
  /** How caches are made cold: all of the kernel's, or a file's pages alone. */
  readonly colds: 'dropped' | 'advised'
  readonly #agents = new Map<number, { readonly worker: Worker; readonly agent: Promise<FsAgent> }>()
  readonly #made = new Map<string, Promise<string>>()

  private constructor(root: string, amounts: Amounts, colds: 'dropped' | 'advised') {
    this.root = root
    this.amounts = amounts
    this.colds = colds
  }

  /** `parent` is on the disk that is to be measured; beside the project where undefined. */
  static async open(parent: string | undefined, amounts: Amounts): Promise<FsStage> {
    const root = await mkdtemp(join(resolve(parent ?? dirname(resolve(project))), 'khazana-bench-fs-'))
    const mayDrop = await access(kernelCaches, constants.W_OK).then(
      () => process.getuid?.() === 0,
      () => false,
    )
    return new FsStage(root, amounts, mayDrop ? 'dropped' : 'advised')
  }

  /** The process of this number, from 0. Those of different numbers work at the same time. */
  agent(number: number): Promise<FsAgent> {
    const existing = this.#agents.get(number)
    if (existing !== undefined) return existing.agent
    const worker = Worker.start({ name: `agent-${number}`, profileDirectory: undefined })
    const agent = worker.create(fsAgentPart, undefined)
    this.#agents.set(number, { worker, agent })
    return agent
  }

  /** Makes the next look at these files a cold one, as far as the kernel goes. What they have must be on the disk. */
  async chill(paths: readonly string[]): Promise<void> {
    if (this.colds === 'dropped') {
      await writeFile(kernelCaches, allCaches)
      return
    }
    const agent = await this.agent(0)
    for (const path of paths) await agent.call('forgetPages', path)
  }

  /** What is made once for a run, by its name: a path. */
  once(name: string, make: () => Promise<string>): Promise<string> {
    const made = this.#made.get(name) ?? make()
    this.#made.set(name, made)
    return made
  }

  /** Throws where the work is not done in time; the agents, one of which may hang, are ended then. */
  async within<T>(limitMs: number, work: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`not done after ${limitMs / 1000} s`))
        void this.halt()
      }, limitMs)
    })
    try {
      return await Promise.race([work(), late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Ends the agents, and the programs they run, whatever they do; what was asked of them fails. Others are started when asked for. */
  async halt(): Promise<void> {
    const agents = [...this.#agents.values()]
    this.#agents.clear()
    await Promise.all(agents.map(({ worker }) => endSoon(worker)))
  }

  async end(): Promise<void> {
    await this.halt()
    await rm(this.root, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** By itself, so that it takes its programs with it; by force where it does not listen, as it is at work itself. */
async function endSoon(worker: Worker): Promise<void> {
  const patience = setTimeout(() => worker.kill(), agentEndMs)
  await worker.end()
  clearTimeout(patience)
}
