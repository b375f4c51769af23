import fs from 'node:fs'
import { basename, join } from 'node:path'
import { Worker, isMainThread, workerData } from 'node:worker_threads'

/**
 * A program with threads that use one file system on several mounts. One changes things, again and again, and says in memory that all of them share when the system call for
 * it has returned; the others look, and must see at least what had been said before they began to. Prints what each saw, as JSON; fails at the first old sight.
 *
 * Usage: racer.js WRITER_MOUNT READER_MOUNTS(comma) MS
 */

const slots = 16
const slotBytes = 4096
const words = {
  /** By slots: the number that was written there last. */
  data: 0,
  /** Bytes that the log has. */
  size: slots,
  /** The newest name that was made. */
  made: slots + 1,
  /** The newest name that was taken away, and that has begun to be. */
  removed: slots + 2,
  leaving: slots + 7,
  /** Seconds: when a file says that it was changed. */
  time: slots + 3,
  /** What a directory's permissions count. */
  mode: slots + 4,
  stop: slots + 5,
  count: slots + 6,
}

interface Task {
  readonly role: 'writer' | 'reader'
  readonly directory: string
  readonly shared: Int32Array
}

function numberAt(fd: number, offset: number): number {
  const bytes = Buffer.alloc(4)
  const got = fs.readSync(fd, bytes, 0, 4, offset)
  return got === 4 ? bytes.readUInt32LE() : -1
}

function write({ directory, shared }: Task): void {
  const at = (name: string): string => join(directory, name)
  const data = fs.openSync(at('data'), 'r+')
  const log = fs.openSync(at('log'), 'a')
  const bytes = Buffer.alloc(4)
  for (let value = 1; Atomics.load(shared, words.stop) === 0; value++) {
    const slot = value % slots
    bytes.writeUInt32LE(value)
    fs.writeSync(data, bytes, 0, 4, slot * slotBytes)
    Atomics.store(shared, words.data + slot, value)
    fs.writeSync(log, 'line\n')
    Atomics.store(shared, words.size, 5 * value)
    fs.writeFileSync(at(`name-${value}`), String(value), { flag: 'wx' })
    Atomics.store(shared, words.made, value)
    if (value > 3) {
      Atomics.store(shared, words.leaving, value - 3)
      fs.unlinkSync(at(`name-${value - 3}`))
      Atomics.store(shared, words.removed, value - 3)
    }
    fs.utimesSync(at('touched'), value, value)
    Atomics.store(shared, words.time, value)
    fs.chmodSync(at('counted'), value % 0o1000)
    Atomics.store(shared, words.mode, value)
  }
}

function check(isRight: boolean, what: string): void {
  if (!isRight) throw new Error(what)
}

function read({ directory, shared }: Task): void {
  const at = (name: string): string => join(directory, name)
  const published = (word: number): number => Atomics.load(shared, word)
  const data = fs.openSync(at('data'), 'r')
  const log = fs.openSync(at('log'), 'r')
  let looks = 0
  for (; published(words.stop) === 0; looks++) {
    const slot = Math.floor(Math.random() * slots)
    const value = published(words.data + slot)
    const seen = numberAt(data, slot * slotBytes)
    check(seen >= value, `slot ${slot} was ${value}, and is seen as ${seen}`)

    const size = published(words.size)
    const { size: seenSize } = fs.fstatSync(log)
    check(seenSize >= size, `the log had ${size} bytes, and is seen with ${seenSize}`)
    if (size > 0) {
      const end = Buffer.alloc(5)
      fs.readSync(log, end, 0, 5, size - 5)
      check(end.toString() === 'line\n', `the log ended in a line, and "${end.toString()}" is seen`)
    }

    const made = published(words.made)
    // It is not there, or just so: the next look must not believe what this one leaves behind.
    fs.existsSync(at(`name-${made + 1}`))
    if (made > 0 && !fs.existsSync(at(`name-${made}`)))
      check(published(words.leaving) >= made, `name-${made} was made, and is not seen`)
    const removed = published(words.removed)
    check(removed === 0 || !fs.existsSync(at(`name-${removed}`)), `name-${removed} was removed, and is seen`)

    const time = published(words.time)
    const seenTime = fs.statSync(at('touched')).mtimeMs / 1000
    check(time === 0 || seenTime >= time, `the time was ${time}, and is seen as ${seenTime}`)

    const mode = published(words.mode)
    const seenMode = fs.statSync(at('counted')).mode & 0o777
    const later = (seenMode - mode) & 0o777
    check(mode === 0 || later < 0o400, `the mode was ${mode % 0o1000}, and is seen as ${seenMode}`)
  }
  Atomics.add(shared, words.count, looks)
}

async function main([writerAt = '', readersAt = '', ms = '1000']: readonly string[]): Promise<void> {
  const folder = fs.mkdtempSync(join(writerAt, 'race-'))
  fs.writeFileSync(join(folder, 'data'), Buffer.alloc(slots * slotBytes))
  for (const name of ['log', 'touched', 'counted']) fs.writeFileSync(join(folder, name), '')
  const shared = new Int32Array(new SharedArrayBuffer(4 * 64))
  const tasks: Task[] = [
    { role: 'writer', directory: folder, shared },
    ...readersAt
      .split(',')
      .map((mount) => ({ role: 'reader' as const, directory: join(mount, basename(folder)), shared })),
  ]
  const ends = tasks.map(
    (task) =>
      new Promise<void>((resolve, reject) => {
        const worker = new Worker(new URL(import.meta.url), { workerData: task })
        worker.on('error', (reason) => {
          Atomics.store(shared, words.stop, 1)
          reject(new Error(`${task.role} at ${task.directory}`, { cause: reason }))
        })
        worker.on('exit', () => resolve())
      }),
  )
  const timer = setTimeout(() => Atomics.store(shared, words.stop, 1), Number(ms))
  try {
    await Promise.all(ends)
  } finally {
    clearTimeout(timer)
  }
  const [changes, looks] = [Atomics.load(shared, words.made), Atomics.load(shared, words.count)]
  process.stdout.write(`${JSON.stringify({ changes, looks })}\n`)
}

if (isMainThread) await main(process.argv.slice(2))
else {
  const task = workerData as Task
  if (task.role === 'writer') write(task)
  else read(task)
}
