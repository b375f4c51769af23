import { Prng } from '../../src/stdx/prng.js'
import { unreachable } from '../../src/stdx/assert.js'
import { FALLOC, MAP, MS, O, PROT, SEEK } from './flags.js'
import { FileModel } from './integrity-model.js'
import { bytesOf, drawOperation } from './integrity-operation.js'
import type { Operation, OperationKind } from './integrity-operation.js'
import type { PosixAgent } from './posix-agent.js'

export interface IntegrityOptions {
  readonly seed: number
  readonly operations: number
  /** One for each way to the file: each stands in the directory, on its mount. */
  readonly agents: readonly PosixAgent[]
  /** The file, which is made anew. */
  readonly path: string
  readonly kinds: readonly OperationKind[]
  /** Of the file, in bytes. */
  readonly sizeMax: number
}

export interface IntegrityFigures {
  readonly bytesCompared: number
  readonly operations: Readonly<Partial<Record<OperationKind, number>>>
}

/** How many of the last operations are told at a mismatch. */
const toldMax = 25

/** What kernels do without asking the file system how large the file is. */
const asksKernel: ReadonlySet<OperationKind> = new Set(['map-read', 'map-write', 'copy'])

/** One way to the file, with what it holds open. */
interface View {
  readonly agent: PosixAgent
  readonly fd: number
  readonly appending: number
  readonly mapping: number | undefined
  /** Of `fd`, for read and write. */
  offset: number
}

/**
 * Does random operations on one file, by one or several ways at a time but one after the other, and compares all that is
 * read with a model in memory. Throws at the first difference, with the seed and the last operations. The same options
 * give the same operations.
 */
export async function exerciseIntegrity(options: IntegrityOptions): Promise<IntegrityFigures> {
  const exercise = new Exercise(options)
  await exercise.run()
  return exercise.figures()
}

class Exercise {
  readonly #options: IntegrityOptions
  readonly #model: FileModel
  readonly #views: View[] = []
  readonly #done: Operation[] = []
  readonly #counts: Partial<Record<OperationKind, number>> = {}
  #bytesCompared = 0

  constructor(options: IntegrityOptions) {
    this.#options = options
    this.#model = new FileModel(options.sizeMax)
  }

  figures(): IntegrityFigures {
    return { bytesCompared: this.#bytesCompared, operations: this.#counts }
  }

  async run(): Promise<void> {
    const { seed, operations, agents, path, kinds, sizeMax } = this.#options
    const random = Prng.fromSeed(seed)
    await agents[0]?.writeFile(path, '')
    for (const agent of agents) this.#views.push(await this.#open(agent))
    for (let mark = 0; mark < operations; mark++) {
      const { size } = this.#model
      const operation = drawOperation(random, { kinds, views: agents.length, sizeMax, size, mark })
      this.#done.push(operation)
      this.#counts[operation.kind] = (this.#counts[operation.kind] ?? 0) + 1
      await this.#play(operation)
      await this.#compareSize(operation.view)
    }
    for (const index of this.#views.keys()) await this.#check(index)
    for (const view of this.#views) await this.#close(view)
  }

  async #open(agent: PosixAgent): Promise<View> {
    const { path, kinds, sizeMax } = this.#options
    const fd = await agent.open(path, O.RDWR)
    const appending = await agent.open(path, O.RDWR | O.APPEND)
    const maps = kinds.includes('map-read') || kinds.includes('map-write')
    const mapping = maps ? await agent.mmap(fd, sizeMax, PROT.READ | PROT.WRITE, MAP.SHARED) : undefined
    return { agent, fd, appending, mapping, offset: 0 }
  }

  async #close({ agent, fd, appending, mapping }: View): Promise<void> {
    if (mapping !== undefined) await agent.munmap(mapping)
    await agent.close(fd)
    await agent.close(appending)
  }

  async #play(operation: Operation): Promise<void> {
    const view = this.#view(operation.view)
    const { agent, fd } = view
    // As programs do, which cannot know by themselves how far they may look: kernels take the size that they have heard last.
    if (asksKernel.has(operation.kind)) await agent.fstat(fd)
    switch (operation.kind) {
      case 'pread': {
        this.#compare(
          operation.offset,
          operation.length,
          await agent.pread(fd, operation.length, operation.offset),
        )
        return
      }
      case 'read': {
        const text = await agent.read(fd, operation.length)
        this.#compare(view.offset, operation.length, text)
        view.offset += text.length
        return
      }
      case 'seek':
        view.offset = await agent.lseek(fd, operation.offset, SEEK.SET)
        return
      case 'pwrite':
        return this.#write(operation.offset, operation, (text) => agent.pwrite(fd, text, operation.offset))
      case 'write': {
        const room = this.#options.sizeMax - view.offset
        if (room <= 0) return
        const length = Math.min(operation.length, room)
        await this.#write(view.offset, { ...operation, length }, (text) => agent.write(fd, text))
        view.offset += length
        return
      }
      case 'append': {
        const length = Math.min(operation.length, this.#options.sizeMax - this.#model.size)
        if (length <= 0) return
        return this.#write(this.#model.size, { ...operation, length }, (text) =>
          agent.write(view.appending, text),
        )
      }
      case 'map-read': {
        this.#compare(
          operation.offset,
          operation.length,
          await agent.peek(this.#mapping(view), operation.offset, operation.length),
        )
        return
      }
      case 'map-write':
        return this.#write(operation.offset, operation, async (text) => {
          await agent.poke(this.#mapping(view), operation.offset, text)
          await agent.msync(this.#mapping(view), MS.SYNC)
          return text.length
        })
      case 'truncate':
        await agent.truncate(this.#options.path, operation.size)
        {
          this.#model.resize(operation.size)
          return
        }
      case 'ftruncate':
        await agent.ftruncate(fd, operation.size)
        {
          this.#model.resize(operation.size)
          return
        }
      case 'punch':
        await agent.fallocate(fd, FALLOC.PUNCH_HOLE | FALLOC.KEEP_SIZE, operation.offset, operation.length)
        {
          this.#model.zero(operation.offset, operation.length)
          return
        }
      case 'zero':
        await agent.fallocate(fd, FALLOC.ZERO_RANGE | FALLOC.KEEP_SIZE, operation.offset, operation.length)
        {
          this.#model.zero(operation.offset, operation.length)
          return
        }
      case 'copy': {
        const { from, to, length } = operation
        const expected = this.#model.read(from, length)
        const copied = await agent.copyFileRange(fd, from, fd, to, length)
        // It may copy less than it is asked, as a write may.
        if (copied === 0 && expected.length > 0) this.#fail(`nothing was copied of ${expected.length} bytes`)
        if (copied > expected.length) this.#fail(`${copied} bytes were copied of ${expected.length}`)
        this.#model.write(to, expected.subarray(0, copied))
        return
      }
      case 'fsync':
        return agent.fsync(fd)
      case 'reopen':
        await this.#close(view)
        this.#views[operation.view] = await this.#open(agent)
        return
      case 'check':
        return this.#check(operation.view)
      default:
        unreachable(operation)
    }
  }

  async #write(
    offset: number,
    { length, mark }: { readonly length: number; readonly mark: number },
    write: (text: string) => Promise<number>,
  ): Promise<void> {
    const bytes = bytesOf(mark, offset, length)
    const written = await write(bytes.toString('latin1'))
    if (written !== length) this.#fail(`${written} bytes were written of ${length}`)
    this.#model.write(offset, bytes)
  }

  async #check(index: number): Promise<void> {
    const { agent } = this.#view(index)
    this.#compare(0, this.#options.sizeMax + 1, await agent.readFile(this.#options.path))
  }

  async #compareSize(index: number): Promise<void> {
    const { agent, fd } = this.#view(index)
    const { size } = await agent.fstat(fd)
    if (size !== this.#model.size) this.#fail(`the size is ${size} instead of ${this.#model.size}`)
  }

  #compare(offset: number, length: number, text: string): void {
    const expected = this.#model.read(offset, length)
    const actual = Buffer.from(text, 'latin1')
    this.#bytesCompared += actual.length
    if (actual.equals(expected)) return
    let at = 0
    while (at < actual.length && at < expected.length && actual[at] === expected[at]) at += 1
    const piece = (bytes: Buffer): string =>
      at < bytes.length ? bytes.subarray(at, at + 16).toString('hex') : 'nothing'
    const lengths = `${actual.length} bytes read, ${expected.length} expected`
    this.#fail(`at ${offset + at}: ${piece(actual)} instead of ${piece(expected)} (${lengths})`)
  }

  #fail(what: string): never {
    const first = Math.max(0, this.#done.length - toldMax)
    const told = this.#done
      .slice(first)
      .map((operation, index) => `  ${first + index} ${JSON.stringify(operation)}`)
    throw new Error(
      [
        `seed ${this.#options.seed}, operation ${this.#done.length - 1}: ${what}`,
        'the last operations:',
        ...told,
      ].join('\n'),
    )
  }

  #view(index: number): View {
    const view = this.#views[index]
    if (view === undefined) throw new Error(`no view ${index}`)
    return view
  }

  #mapping({ mapping }: View): number {
    if (mapping === undefined) throw new Error('nothing is mapped')
    return mapping
  }
}
