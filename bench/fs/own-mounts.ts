import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ReadyNode } from '../../src/cli/ready.js'
import { Service, khazanaOutput } from './service.js'

export interface OwnMountsOptions {
  /** Where the nodes keep everything, and where the mounts are. */
  readonly root: string
  readonly minReplicas: number
  readonly profileDirectory: string | undefined
}

/** Nodes on the loopback that are there for the run, with one file system of theirs mounted at the first and at the second. */
export class OwnMounts {
  #services: readonly Service[] = []
  readonly #mounts = new Map<string, Service>()

  static async start(options: OwnMountsOptions): Promise<OwnMounts> {
    const own = new OwnMounts()
    try {
      await own.#start(options)
      return own
    } catch (reason) {
      await own.end()
      throw reason
    }
  }

  /** At the node where the file system was made, and at another one. */
  get directories(): readonly string[] {
    return [...this.#mounts.keys()]
  }

  /** Mounts first. */
  async end(): Promise<void> {
    for (const [directory, mount] of [...this.#mounts].reverse()) {
      if ((await mount.end()) === 'by force') await unmount(directory)
    }
    for (const service of this.#services.toReversed()) await service.end()
  }

  async #start({ root, minReplicas, profileDirectory }: OwnMountsOptions): Promise<void> {
    const profiled = (name: string): readonly string[] =>
      profileDirectory === undefined
        ? []
        : ['--cpu-prof', `--cpu-prof-dir=${profileDirectory}`, `--cpu-prof-name=${name}.cpuprofile`]
    const nodes: ReadyNode[] = []
    for (let number = 1; number <= Math.max(2, minReplicas); number++) {
      const [founder] = nodes
      const joining = founder === undefined ? [] : ['--join', founder.listen]
      const args = ['node', '--dir', join(root, `node-${number}`), '--log-level', 'warn', ...joining]
      const service = await Service.start(args, profiled(`node-${number}`))
      this.#services = [...this.#services, service]
      nodes.push(JSON.parse(service.ready) as ReadyNode)
    }
    const sockets = nodes.map(({ socket }) => socket).slice(0, 2)
    const [home = ''] = sockets
    const address = await khazanaOutput(['mkfs', '--min-replicas', String(minReplicas), '--at', home])
    for (const [index, at] of sockets.entries()) {
      const directory = join(root, `mount-${index + 1}`)
      await mkdir(directory)
      const args = ['mount', address, directory, '--at', at]
      this.#mounts.set(directory, await Service.start(args, profiled(`mount-${index + 1}`)))
    }
  }
}

/** Also where programs still work there. What is not mounted any more stays so. */
async function unmount(directory: string): Promise<void> {
  const child = spawn('umount', ['-l', directory], { stdio: 'ignore' })
  await Promise.race([once(child, 'close'), once(child, 'error')])
}
