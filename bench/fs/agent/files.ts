import fs from 'node:fs'
import { join } from 'node:path'
import { blockBytes, secondsSince } from './raw-io.js'
import type { Work } from './raw-io.js'

export interface FilesIn {
  readonly directory: string
  readonly count: number
}

/** What is done to many files one after the other; all but `stat` give seconds. */
export interface Files {
  create(argument: FilesIn): number
  /** All of them, again and again for a time. */
  stat(argument: FilesIn & { readonly budgetMs: number }): Work
  /** Lists the directory, and looks at each of its files. */
  list(argument: FilesIn): number
  rename(argument: FilesIn): number
  /** After `rename`. */
  unlink(argument: FilesIn): number
  /** Creates each with 4 KiB in it, flushes and closes it. */
  createSynced(argument: FilesIn): number
  makeDirectory(path: string): void
  /** Empty. */
  makeFile(path: string): void
  /** With all that is in it, if it is there. */
  remove(path: string): void
}

export const files: Files = {
  create: (work) => each(work, (path) => fs.closeSync(fs.openSync(path, 'wx'))),
  stat: ({ directory, count, budgetMs }) => {
    const paths = Array.from({ length: count }, (_, index) => pathOf(directory, index))
    const start = performance.now()
    let operations = 0
    while (performance.now() - start < budgetMs) {
      for (const path of paths) fs.statSync(path)
      operations += count
    }
    return { operations, seconds: secondsSince(start) }
  },
  list: ({ directory, count }) => {
    const start = performance.now()
    const names = fs.readdirSync(directory)
    for (const name of names) fs.lstatSync(`${directory}/${name}`)
    const seconds = secondsSince(start)
    if (names.length !== count) throw new Error(`${names.length} names are listed of ${count}`)
    return seconds
  },
  rename: (work) => each(work, (path) => fs.renameSync(path, renamed(path))),
  unlink: (work) => each(work, (path) => fs.unlinkSync(renamed(path))),
  createSynced: (work) => {
    const block = Buffer.alloc(blockBytes, 5)
    return each(work, (path) => {
      const fd = fs.openSync(path, 'wx')
      fs.writeSync(fd, block)
      fs.fsyncSync(fd)
      fs.closeSync(fd)
    })
  },
  makeDirectory: (path) => void fs.mkdirSync(path, { recursive: true }),
  makeFile: (path) => fs.writeFileSync(path, ''),
  remove: (path) => fs.rmSync(path, { recursive: true, force: true, maxRetries: 3 }),
}

function each({ directory, count }: FilesIn, operation: (path: string) => void): number {
  const start = performance.now()
  for (let index = 0; index < count; index++) operation(pathOf(directory, index))
  return secondsSince(start)
}

function pathOf(directory: string, index: number): string {
  return join(directory, `file-${index}`)
}

function renamed(path: string): string {
  return `${path}.renamed`
}
