import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join, resolve } from 'node:path'
import { stopProcess } from './stop-process.js'

/** Where `scripts/etcd.mjs` puts it that found none on this machine. */
const unpacked = resolve('node_modules/.cache/etcd/usr/bin')
const startMsMax = 30_000
const pollMs = 50

/** The program; undefined where this machine has none, and could not be given one. */
export function findEtcd(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), unpacked]
  return folders.map((folder) => join(folder, 'etcd')).find((path) => existsSync(path))
}

/** Members of one etcd cluster, each a process that can be killed, stopped and started again. */
export class EtcdCluster implements AsyncDisposable {
  readonly #members: readonly EtcdMember[]

  private constructor(members: readonly EtcdMember[]) {
    this.#members = members
  }

  static async start(program: string, folder: string, size: number): Promise<EtcdCluster> {
    const ports = await freePorts(2 * size)
    const members = Array.from({ length: size }, (_, index) => ({
      name: `m${index}`,
      client: `http://127.0.0.1:${ports[2 * index]}`,
      peer: `http://127.0.0.1:${ports[2 * index + 1]}`,
    }))
    const cluster = members.map(({ name, peer }) => `${name}=${peer}`).join(',')
    const made = new EtcdCluster(members.map((member) => new EtcdMember(program, folder, member, cluster)))
    await made.#all((member) => member.start())
    return made
  }

  get endpoints(): readonly string[] {
    return this.#members.map(({ endpoint }) => endpoint)
  }

  member(index: number): EtcdMember {
    const member = this.#members[index]
    if (member === undefined) throw new Error(`no member ${index}`)
    return member
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#all((member) => member.kill())
  }

  async #all(run: (member: EtcdMember) => Promise<void>): Promise<void> {
    await Promise.all(this.#members.map(run))
  }
}

interface Addresses {
  readonly name: string
  readonly client: string
  readonly peer: string
}

export class EtcdMember {
  readonly #program: string
  readonly #args: readonly string[]
  readonly #addresses: Addresses
  #child: ChildProcess | undefined

  constructor(program: string, folder: string, addresses: Addresses, cluster: string) {
    const { name, client, peer } = addresses
    this.#program = program
    this.#addresses = addresses
    this.#args = [
      ...['--name', name, '--data-dir', join(folder, name), '--log-level', 'fatal'],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', cluster],
    ]
  }

  get endpoint(): string {
    return this.#addresses.client
  }

  /** Resolves when it serves. */
  async start(): Promise<void> {
    this.#child = spawn(this.#program, this.#args, { stdio: 'ignore' })
    for (let waitedMs = 0; !(await this.#isServing()); waitedMs += pollMs) {
      if (waitedMs > startMsMax) throw new Error('etcd does not start')
      await new Promise((done) => setTimeout(done, pollMs))
    }
  }

  /** Resolves when it stands still. */
  async stop(): Promise<void> {
    if (this.#child !== undefined) await stopProcess(this.#child)
  }

  goOn(): void {
    this.#child?.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#child = undefined
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
  }

  /** One request, for what the coordinator has no words for. */
  async post(path: string, body: object): Promise<unknown> {
    const response = await fetch(`${this.endpoint}${path}`, { method: 'POST', body: JSON.stringify(body) })
    return response.json()
  }

  async #isServing(): Promise<boolean> {
    try {
      const answer = (await this.post('/v3/kv/range', { key: 'AA==' })) as { readonly header?: unknown }
      return answer.header !== undefined
    } catch {
      return false
    }
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}
