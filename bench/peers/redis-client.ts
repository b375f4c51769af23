import { createConnection } from 'node:net'
import type { Socket } from 'node:net'

interface Waiting {
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

/** As little of a Redis client as it takes to set: its protocol (RESP) on one connection, on which answers come in order. */
export class RedisClient {
  readonly #socket: Socket
  readonly #waiting: Waiting[] = []
  #rest = ''

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => this.#heard(text))
    socket.on('error', (error) => this.#failAll(error))
    socket.on('close', () => this.#failAll(new Error('Redis has closed the connection')))
  }

  static async connect(port: number): Promise<RedisClient> {
    const socket = createConnection({ host: '127.0.0.1', port, noDelay: true })
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.once('connect', () => resolve())
    })
    return new RedisClient(socket)
  }

  /** Resolves when Redis has acknowledged. */
  set(key: string, value: Uint8Array): Promise<void> {
    const head = `*3\r\n$3\r\nSET\r\n$${Buffer.byteLength(key)}\r\n${key}\r\n$${value.length}\r\n`
    const command = Buffer.concat([Buffer.from(head), value, Buffer.from('\r\n')])
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#socket.write(command)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  /** Each answer to a SET is one line. */
  #heard(text: string): void {
    const lines = (this.#rest + text).split('\r\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      const waiting = this.#waiting.shift()
      if (line === '+OK') waiting?.resolve()
      else waiting?.reject(new Error(`Redis does not set: ${line}`))
    }
  }

  #failAll(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}
