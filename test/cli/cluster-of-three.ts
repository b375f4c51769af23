import { Daemon } from './daemon.js'
import type { TemporaryFolder } from './daemon.js'

/** Three nodes of one cluster, each a process of its own. */
export class ClusterOfThree implements AsyncDisposable {
  readonly #daemons: Daemon[] = []

  static async start(folder: TemporaryFolder): Promise<ClusterOfThree> {
    const cluster = new ClusterOfThree()
    try {
      const founding = await Daemon.start(folder.in('1'))
      cluster.#daemons.push(founding)
      for (const name of ['2', '3']) {
        cluster.#daemons.push(await Daemon.start(folder.in(name), ['--join', founding.ready.listen]))
      }
      return cluster
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
  }

  /** By its number, 1 to 3. */
  node(number: number): Daemon {
    const found = this.#daemons[number - 1]
    if (found === undefined) throw new Error(`no node ${number}`)
    return found
  }

  /** Kills the node without warning and starts it again on its directory. */
  async killAndRestart(number: number): Promise<Daemon> {
    const { dir } = this.node(number)
    await this.node(number).end('SIGKILL')
    const restarted = await Daemon.start(dir)
    this.#daemons[number - 1] = restarted
    return restarted
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#daemons.map((daemon) => daemon[Symbol.asyncDispose]()))
  }
}
