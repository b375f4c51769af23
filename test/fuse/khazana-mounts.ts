import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { bin, output } from '../cli/command.js'
import { Daemon, TemporaryFolder } from '../cli/daemon.js'

/** Why nothing can be mounted here, or false. */
export const cannotMount: string | false = !existsSync('/dev/fuse')
  ? 'SKIPPED: this machine has no /dev/fuse, so NOTHING of the mounts is tested'
  : process.getuid?.() !== 0
    ? 'SKIPPED: only root mounts here, so NOTHING of the mounts is tested'
    : false

/** A process that runs `khazana mount`. */
export class Mount implements AsyncDisposable {
  readonly directory: string
  readonly #child: ChildProcess
  readonly ended: Promise<unknown>

  private constructor(directory: string, child: ChildProcess) {
    this.directory = directory
    this.#child = child
    this.ended = once(child, 'close')
  }

  static async start(address: string, directory: string, at: string): Promise<Mount> {
    const child = spawn(process.execPath, [bin, 'mount', address, directory, '--at', at], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const mount = new Mount(directory, child)
    const first = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()
    assert.match(String(first.value), /^ready \{/)
    return mount
  }

  kill(): Promise<unknown> {
    this.#child.kill('SIGKILL')
    return this.ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.ended
  }
}

/** One file system, mounted at two nodes; all of it goes when it is disposed of. */
export class TwoMounts implements AsyncDisposable {
  /** At the node where the file system was made, and at the other. */
  readonly directories: readonly [string, string]
  /** In the order in which they were started. */
  readonly #parts: readonly AsyncDisposable[]

  private constructor(directories: readonly [string, string], parts: readonly AsyncDisposable[]) {
    this.directories = directories
    this.#parts = parts
  }

  static async start(): Promise<TwoMounts> {
    const parts: AsyncDisposable[] = []
    const started = <T extends AsyncDisposable>(part: T): T => {
      parts.push(part)
      return part
    }
    try {
      const folder = started(await TemporaryFolder.make())
      const one = started(await Daemon.start(folder.in('a')))
      const two = started(await Daemon.start(folder.in('b'), ['--join', one.ready.listen]))
      const address = await output(['mkfs'], { at: one.at })
      for (const name of ['mnt-1', 'mnt-2']) await mkdir(folder.in(name))
      const here = started(await Mount.start(address, folder.in('mnt-1'), one.at))
      const there = started(await Mount.start(address, folder.in('mnt-2'), two.at))
      return new TwoMounts([here.directory, there.directory], parts)
    } catch (reason) {
      await disposeOf(parts)
      throw reason
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await disposeOf(this.#parts)
  }
}

/** The last first. */
async function disposeOf(parts: readonly AsyncDisposable[]): Promise<void> {
  for (const part of parts.toReversed()) await part[Symbol.asyncDispose]()
}
