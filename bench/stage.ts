import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { rawServer } from './parts/raw-socket.js'
import { clientSite, nodeSite } from './parts/sites.js'
import { rawAppendPart } from './parts/raw-appends.js'
import type { RawAppendActions } from './parts/raw-appends.js'
import { rawFollower, rawLeaderPart } from './parts/raw-replicas.js'
import type { RawLeaderActions } from './parts/raw-replicas.js'
import { rawClientPart } from './parts/raw-client.js'
import type { RawClientActions } from './parts/raw-client.js'
import { installed } from './peers/installed.js'
import { PeerServer, freePorts } from './peers/peer-server.js'
import { Worker } from './process/worker.js'
import type { Remote } from './process/worker.js'

/** A node and another process that uses its memory. */
export interface Connected {
  readonly home: Worker
  readonly client: Worker
}

/** Two nodes of one cluster. */
export interface Pair {
  readonly home: Worker
  readonly other: Worker
  /** `host:port` of the home. */
  readonly endpoint: string
}

/** Two nodes, and a third one that is home to what they use. */
export interface Trio {
  readonly home: Worker
  readonly others: readonly [Worker, Worker]
}

export interface StageOptions {
  /** Where a directory for everything is made. On the disk that is to be measured. */
  readonly parent: string
  readonly profileDirectory: string | undefined
}

/**
 * The processes and directories that rows are played on. Rows share them where they need the same, and what nobody asks
 * for is never started. All of it is gone after `end`.
 */
export class Stage {
  readonly #root: string
  readonly #options: StageOptions
  readonly #workers = new Map<string, Worker>()
  readonly #servers: PeerServer[] = []
  readonly #scenes = new Map<string, Promise<unknown>>()

  private constructor(root: string, options: StageOptions) {
    this.#root = root
    this.#options = options
  }

  static async open(options: StageOptions): Promise<Stage> {
    return new Stage(await mkdtemp(join(options.parent, 'khazana-bench-')), options)
  }

  /** The process of this name. */
  worker(name: string): Worker {
    const existing = this.#workers.get(name)
    if (existing !== undefined) return existing
    const worker = Worker.start({ name, profileDirectory: this.#options.profileDirectory })
    this.#workers.set(name, worker)
    return worker
  }

  /** A process that is a node by itself. */
  embedded(): Promise<Worker> {
    return this.#once('embedded', async () => {
      const worker = this.worker('embedded')
      await worker.create(nodeSite, { dir: await this.#directory('embedded'), join: undefined })
      return worker
    })
  }

  connected(): Promise<Connected> {
    return this.#once('connected', async () => {
      const [home, client] = [this.worker('daemon'), this.worker('client')]
      const dir = await this.#directory('daemon')
      await home.create(nodeSite, { dir, join: undefined })
      await client.create(clientSite, { dir })
      return { home, client }
    })
  }

  pair(): Promise<Pair> {
    return this.#once('pair', async () => {
      const home = this.worker('home')
      const founder = await home.create(nodeSite, { dir: await this.#directory('home'), join: undefined })
      const endpoint = await founder.call('listen')
      return { home, other: await this.#joined('other', endpoint), endpoint }
    })
  }

  trio(): Promise<Trio> {
    return this.#once('trio', async () => {
      const { home, other, endpoint } = await this.pair()
      return { home, others: [other, await this.#joined('third', endpoint)] }
    })
  }

  /** A process connected to another one by plain sockets. */
  rawClient(): Promise<Remote<RawClientActions>> {
    return this.#once('raw-sockets', async () => {
      const server = await this.worker('raw-server').create(rawServer, undefined)
      const path = join(await this.#directory('raw-sockets'), 'raw.sock')
      const endpoints = {
        tcp: await server.call('listen', undefined),
        unix: await server.call('listen', path),
      }
      return this.worker('raw-client').create(rawClientPart, endpoints)
    })
  }

  /** A process with plain files. */
  rawFile(): Promise<Remote<RawAppendActions>> {
    return this.#once('raw-appends', async () => {
      const dir = await this.#directory('raw-appends')
      return this.worker('raw-appends').create(rawAppendPart, { dir })
    })
  }

  /** A process with a plain file, and others that each write what it writes; `copies` in all. */
  rawReplicas(copies: 2 | 3): Promise<Remote<RawLeaderActions>> {
    return this.#once(`raw-replicas-${copies}`, async () => {
      const followers = []
      for (let copy = 2; copy <= copies; copy++) followers.push(await this.#rawFollower(copy))
      const dir = await this.#directory(`raw-leader-${copies}`)
      return this.worker(`raw-leader-${copies}`).create(rawLeaderPart, { dir, followers })
    })
  }

  #rawFollower(copy: number): Promise<number> {
    const name = `raw-follower-${copy}`
    return this.#once(name, async () => {
      const follower = await this.worker(name).create(rawFollower, { dir: await this.#directory(name) })
      return follower.call('listen')
    })
  }

  /** An etcd of one member, by the port at which it serves. Throws `RowSkipped` where there is none. */
  etcd(): Promise<number> {
    return this.#once('etcd', async () => {
      const program = installed('etcd')
      const [client = 0, peer = 0] = await freePorts(2)
      const [clientUrl, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`]
      const args = [
        ...['--name', 'm0', '--data-dir', await this.#directory('etcd'), '--log-level', 'info'],
        ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
        ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
        ...['--initial-cluster', `m0=${peerUrl}`],
      ]
      const readyText = 'ready to serve client requests'
      this.#servers.push(await PeerServer.start({ program, args, readyText }))
      return client
    })
  }

  /** A Redis that flushes before it answers, by the port at which it serves. Throws `RowSkipped` where there is none. */
  redis(): Promise<number> {
    return this.#once('redis', async () => {
      const program = installed('redis-server')
      const [port = 0] = await freePorts(1)
      const args = [
        ...['--bind', '127.0.0.1', '--port', String(port), '--dir', await this.#directory('redis')],
        ...['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''],
      ]
      const readyText = 'Ready to accept connections'
      this.#servers.push(await PeerServer.start({ program, args, readyText }))
      return port
    })
  }

  /** Clients and guests first, as they were started last. */
  async end(): Promise<void> {
    for (const worker of [...this.#workers.values()].reverse()) await worker.end()
    for (const server of this.#servers) await server.end()
    await rm(this.#root, { recursive: true, force: true })
  }

  /** Ends everything at once. */
  async abort(): Promise<void> {
    for (const worker of this.#workers.values()) worker.kill()
    await this.end()
  }

  async #joined(name: string, endpoint: string): Promise<Worker> {
    const worker = this.worker(name)
    await worker.create(nodeSite, { dir: await this.#directory(name), join: endpoint })
    return worker
  }

  async #directory(name: string): Promise<string> {
    const path = join(this.#root, name)
    await mkdir(path)
    return path
  }

  #once<T>(name: string, make: () => Promise<T>): Promise<T> {
    // Under each name lies what its own `make` made.
    const existing = this.#scenes.get(name) as Promise<T> | undefined
    if (existing !== undefined) return existing
    const made = make()
    this.#scenes.set(name, made)
    return made
  }
}
