import { startAgent } from './posix-agent.js'
import type { PosixAgent } from './posix-agent.js'

/** Agents that are used again from scene to scene, since a process takes long to start. */
export class AgentPool implements AsyncDisposable {
  readonly #start: () => Promise<PosixAgent>
  readonly #idle: PosixAgent[] = []
  readonly #used: PosixAgent[] = []

  constructor(start: () => Promise<PosixAgent> = startAgent) {
    this.#start = start
  }

  /** One that holds nothing and stands in the directory. */
  async take(directory: string): Promise<PosixAgent> {
    const agent = this.#idle.pop() ?? (await this.#start())
    this.#used.push(agent)
    await agent.chdir(directory)
    return agent
  }

  /** Makes all agents idle again; those that hang or died are replaced when needed. */
  async takeBack(): Promise<void> {
    for (const agent of this.#used.splice(0)) {
      if (!agent.isAlive) continue
      if (agent.isBusy) {
        await agent.kill()
        continue
      }
      await agent.reset()
      this.#idle.push(agent)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of [...this.#used.splice(0), ...this.#idle.splice(0)]) await agent.kill()
  }
}
