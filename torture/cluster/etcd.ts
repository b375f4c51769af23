import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { findEtcd } from '../../test/coordinator/etcd-process.js'
import { pause } from '../clock.js'
import { startChild } from './children.js'
import type { Network } from './network.js'

const startMsMax = 30_000
const pollMs = 100
/** What it logs, in all versions, when it serves. */
const readyText = 'ready to serve client requests'

export interface EtcdOptions {
  readonly dir: string
  readonly logFile: string
  readonly network: Network
  readonly machine: number
  /** Of its command, after what it must have. */
  readonly args?: readonly string[]
}

/**
 * An etcd of one member, on a machine of its own. It is not killed or stopped: that is done by the tests of the coordinator. But it is
 * cut off from nodes as any machine is.
 */
export class Etcd implements AsyncDisposable {
  /** As `khazana node --coordinator` takes it. */
  readonly coordinator: string
  readonly #child: ChildProcess

  /** Throws where this machine has no etcd, or it does not start. */
  static async start({ dir, logFile, network, machine, args = [] }: EtcdOptions): Promise<Etcd> {
    const program = findEtcd()
    if (program === undefined) throw new Error('there is no etcd on this machine: install etcd-server')
    const host = network.hostOf(machine)
    // In a namespace of its own all ports are free.
    const [client, peer] = network.canCut ? [2379, 2380] : await freePorts()
    const [clientUrl, peerUrl] = [`http://${host}:${client}`, `http://${host}:${peer}`]
    const command = [
      ...network.prefix(machine),
      ...[program, '--name', 'm0', '--data-dir', dir, '--log-level', 'info'],
      ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      ...['--initial-cluster', `m0=${peerUrl}`],
      ...args,
    ]
    const log = openSync(logFile, 'a')
    const child = startChild(command, { stdio: ['ignore', log, log] })
    closeSync(log)
    const etcd = new Etcd(`etcd://${host}:${client}`, child)
    try {
      await etcd.#serving(logFile)
      return etcd
    } catch (reason) {
      await etcd[Symbol.asyncDispose]()
      throw reason
    }
  }

  private constructor(coordinator: string, child: ChildProcess) {
    this.coordinator = coordinator
    this.#child = child
    // `#serving` says that it does not.
    child.on('error', () => undefined)
  }

  /** By what it logs: it may be out of reach from here. */
  async #serving(logFile: string): Promise<void> {
    for (let waitedMs = 0; waitedMs < startMsMax && this.#isRunning; waitedMs += pollMs) {
      if ((await readFile(logFile, 'utf8')).includes(readyText)) return
      await pause(pollMs)
    }
    throw new Error(`etcd does not serve: see ${logFile}`)
  }

  get #isRunning(): boolean {
    const { pid, exitCode, signalCode } = this.#child
    return pid !== undefined && exitCode === null && signalCode === null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isRunning) return
    const closed = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await closed
  }
}

/** Two, of this machine. */
async function freePorts(): Promise<readonly [number, number]> {
  const servers = [createServer().listen(0, '127.0.0.1'), createServer().listen(0, '127.0.0.1')] as const
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const portOf = (server: (typeof servers)[number]): number => {
    const address = server.address()
    if (typeof address !== 'object' || address === null) throw new Error('a TCP server has a port')
    return address.port
  }
  const ports = [portOf(servers[0]), portOf(servers[1])] as const
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}
