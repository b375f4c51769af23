import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'

const startMsMax = 30_000
const lastWordsChars = 1000

export interface PeerServerOptions {
  readonly program: string
  readonly args: readonly string[]
  /** What it says when it serves. */
  readonly readyText: string
}

/** A server of somebody else's that the bench runs, on the loopback. It ends with the bench, unless that is killed by force. */
export class PeerServer {
  readonly #child: ChildProcess
  readonly #kill = (): void => void this.#child.kill('SIGKILL')

  /** Resolves when it serves. Throws with its last words where it does not. */
  static async start({ program, args, readyText }: PeerServerOptions): Promise<PeerServer> {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const server = new PeerServer(child)
    try {
      await ready(child, readyText)
      return server
    } catch (reason) {
      await server.end()
      throw new Error(`${program} does not serve: ${String(reason)}`, { cause: reason })
    }
  }

  private constructor(child: ChildProcess) {
    this.#child = child
    process.once('exit', this.#kill)
  }

  async end(): Promise<void> {
    process.off('exit', this.#kill)
    const { pid, exitCode, signalCode } = this.#child
    if (pid === undefined || exitCode !== null || signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#kill()
    await exited
  }
}

/** What it says later is read, too, and thrown away: nobody must wait for a full pipe. */
function ready(child: ChildProcess, readyText: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    const fail = (how: string): void => {
      clearTimeout(patience)
      reject(new Error(`${how}: ${said.slice(-lastWordsChars)}`))
    }
    const patience = setTimeout(() => fail('it takes too long'), startMsMax)
    const hear = (chunk: Buffer): void => {
      said = (said + chunk.toString()).slice(-2 * lastWordsChars)
      if (!said.includes(readyText)) return
      clearTimeout(patience)
      resolve()
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.on('error', (error) => fail(error.message))
    child.on('exit', (code, signal) => fail(`it has ended (${signal ?? `status ${code}`})`))
  })
}

/** So many free ports of the loopback. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => {
    const address = server.address()
    if (typeof address !== 'object' || address === null) throw new Error('a TCP server has a port')
    return address.port
  })
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}
