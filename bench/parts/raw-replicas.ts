import { createConnection, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import type { Part } from '../process/part.js'
import type { Sample } from '../sample.js'
import { timeEach } from '../timing.js'
import { RawFile } from './raw-file.js'
import { pageBytes } from './working-set.js'

const groupPages = 64
/** Before the bytes: how many there are. */
const headBytes = 4

interface FollowerActions {
  /** Resolves with the port. Once. */
  listen(): Promise<number>
}

export interface RawLeaderActions {
  serial(budgetMs: number): Promise<Sample>
  grouped(budgetMs: number): Promise<Sample>
}

/** Appends what it is sent to a file, flushes it, and answers with one byte: plain sockets and files, nothing of ours. */
export const rawFollower: Part<{ readonly dir: string }, FollowerActions> = {
  name: 'raw-follower',
  create: async (host, { dir }) => {
    const file = await RawFile.make(host, dir, 'plain')
    return {
      listen: () =>
        new Promise((resolve, reject) => {
          const sockets = new Set<Socket>()
          const server = createServer({ noDelay: true }, (socket) => {
            sockets.add(socket)
            follow(socket, file)
          })
          host.atEnd(() => {
            for (const socket of sockets) socket.destroy()
            server.close()
          })
          server.once('error', reject)
          server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
        }),
    }
  },
}

/** One at a time, as the leader sends them. */
function follow(socket: Socket, file: RawFile): void {
  const chunks: Buffer[] = []
  let arrived = 0
  socket.on('error', () => socket.destroy())
  socket.on('data', (data) => {
    chunks.push(data)
    arrived += data.length
    if (arrived < headBytes) return
    const wanted = headBytes + Buffer.concat(chunks.slice(0, headBytes)).readUInt32LE(0)
    if (arrived < wanted) return
    const whole = Buffer.concat(chunks)
    chunks.length = 0
    arrived = 0
    void file
      .append(whole.subarray(headBytes))
      .then(() => file.flush())
      .then(
        () => socket.write(new Uint8Array(1)),
        () => socket.destroy(),
      )
  })
}

/** Appends to a file of its own and sends the same to all followers at once: what so many copies on disk take at least. */
export const rawLeaderPart: Part<
  { readonly dir: string; readonly followers: readonly number[] },
  RawLeaderActions
> = {
  name: 'raw-leader',
  create: async (host, { dir, followers }) => {
    const file = await RawFile.make(host, dir, 'plain')
    const links = await Promise.all(followers.map((port) => Link.connect(port)))
    host.atEnd(() => {
      for (const link of links) link.close()
    })
    const here = async (pages: readonly Uint8Array[]): Promise<void> => {
      await file.appendAll(pages)
      await file.flush()
    }
    const everywhere = async (pages: readonly Uint8Array[]): Promise<void> => {
      await Promise.all([here(pages), ...links.map((link) => link.send(pages))])
    }
    const page = new Uint8Array(pageBytes).fill(1)
    const group = Array.from({ length: groupPages }, () => page)
    return {
      serial: (budgetMs) => timeEach(budgetMs, () => everywhere([page])),
      grouped: async (budgetMs) => {
        const { value } = await timeEach(budgetMs, () => everywhere(group))
        return { value: value / groupPages }
      },
    }
  },
}

/** To one follower, of which one answer is awaited at a time. */
class Link {
  readonly #socket: Socket
  #answered: () => void = () => undefined
  #failed: (error: Error) => void = () => undefined

  private constructor(port: number) {
    this.#socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('data', () => this.#answered())
    this.#socket.on('error', (error) => this.#failed(error))
  }

  static async connect(port: number): Promise<Link> {
    const link = new Link(port)
    await new Promise<void>((resolve, reject) => {
      link.#failed = reject
      link.#socket.once('connect', () => resolve())
    })
    return link
  }

  send(pages: readonly Uint8Array[]): Promise<void> {
    const head = Buffer.alloc(headBytes)
    head.writeUInt32LE(pages.reduce((sum, { length }) => sum + length, 0))
    return new Promise((resolve, reject) => {
      this.#answered = resolve
      this.#failed = reject
      this.#socket.cork()
      this.#socket.write(head)
      for (const page of pages) this.#socket.write(page)
      this.#socket.uncork()
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}
