import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import type { Network } from './network.js'

const run = promisify(execFile)

const hostsMax = 200
const port = 7400
/** Nobody has this one: what is sent there is dropped. */
const nobody = '02:00:00:00:ff:ff'

/**
 * A network namespace for each machine, joined by a bridge that lies in one more, so that nothing of the real network is touched and
 * nothing but the namespaces has to be put away.
 *
 * A machine knows the hardware addresses of all others from the start, for good. To cut a way is to give the sender a wrong one: its
 * packets vanish on the bridge, without a word to anybody, in one direction, for connections that there are and those to come. This
 * takes `ip` alone. Rejected: filters of packets (`nft`, `iptables`), which many machines do not have; links that are taken down, of
 * which a sender hears, and which cut all ways at once.
 */
export class Namespaces implements Network {
  readonly canCut = true
  readonly #prefix: string
  readonly #machines: number
  readonly #remove = (): void => {
    removeAll((name) => name.startsWith(`${this.#prefix}-`))
  }

  /** Throws where this process may not make namespaces, or the machine has no `ip`. */
  static async make(machines: number): Promise<Namespaces> {
    if (machines > hostsMax) throw new Error(`there is room for ${hostsMax} machines`)
    removeAll(isLeftOver)
    const made = new Namespaces(`${family}${process.pid}`, machines)
    // Whatever ends this process, but SIGKILL: then the next run does it.
    process.once('exit', made.#remove)
    try {
      await made.#build()
      return made
    } catch (reason) {
      await made[Symbol.asyncDispose]()
      throw reason
    }
  }

  private constructor(prefix: string, machines: number) {
    this.#prefix = prefix
    this.#machines = machines
  }

  listenAt(machine: number): string {
    return `${this.hostOf(machine)}:${port}`
  }

  hostOf(machine: number): string {
    return `10.77.0.${machine}`
  }

  prefix(machine: number): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name(machine)]
  }

  cut(from: number, to: number): Promise<void> {
    return this.#pointTo(from, to, nobody)
  }

  mend(from: number, to: number): Promise<void> {
    return this.#pointTo(from, to, hardwareOf(to))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#remove)
    this.#remove()
  }

  async #build(): Promise<void> {
    const hub = this.#name('hub')
    await ip('netns', 'add', hub)
    await ip('-n', hub, 'link', 'add', 'bridge', 'type', 'bridge')
    await ip('-n', hub, 'link', 'set', 'bridge', 'up')
    const machines = Array.from({ length: this.#machines }, (_, index) => index + 1)
    for (const machine of machines) await this.#addMachine(hub, machine)
    for (const from of machines) for (const to of machines) if (from !== to) await this.mend(from, to)
  }

  async #addMachine(hub: string, machine: number): Promise<void> {
    const name = this.#name(machine)
    const plug = `plug${machine}`
    await ip('netns', 'add', name)
    await ip('-n', name, 'link', 'set', 'lo', 'up')
    await ip('-n', hub, 'link', 'add', plug, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    await ip('-n', hub, 'link', 'set', plug, 'master', 'bridge')
    await ip('-n', hub, 'link', 'set', plug, 'up')
    await ip('-n', name, 'link', 'set', 'eth0', 'address', hardwareOf(machine))
    await ip('-n', name, 'addr', 'add', `${this.hostOf(machine)}/24`, 'dev', 'eth0')
    await ip('-n', name, 'link', 'set', 'eth0', 'up')
  }

  async #pointTo(from: number, to: number, hardware: string): Promise<void> {
    const neighbour = [this.hostOf(to), 'lladdr', hardware, 'dev', 'eth0', 'nud', 'permanent']
    await ip('-n', this.#name(from), 'neigh', 'replace', ...neighbour)
  }

  #name(part: number | 'hub'): string {
    return `${this.#prefix}-${part}`
  }
}

/** What the names of namespaces begin with; the id of the process that made them follows. */
const family = 'khazana-torture-'

async function ip(...args: readonly string[]): Promise<void> {
  await run('ip', args)
}

function hardwareOf(machine: number): string {
  return `02:00:00:00:00:${machine.toString(16).padStart(2, '0')}`
}

/** Of a run whose process is gone. */
function isLeftOver(name: string): boolean {
  const pid = Number(/^(\d+)-/.exec(name.slice(family.length))?.[1])
  if (!name.startsWith(family) || Number.isNaN(pid)) return false
  try {
    process.kill(pid, 0)
    return false
  } catch (reason) {
    return reason instanceof Error && 'code' in reason && reason.code === 'ESRCH'
  }
}

/** At once, as a process that ends waits for nothing. */
function removeAll(isMeant: (name: string) => boolean): void {
  const list = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })
  const names = list.split('\n').map((line) => line.split(' ')[0] ?? '')
  for (const name of names.filter(isMeant)) execFileSync('ip', ['netns', 'delete', name])
}
