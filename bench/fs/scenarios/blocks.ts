import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { installed } from '../../peers/installed.js'
import { RowSkipped } from '../../row-skipped.js'
import { blockBytes } from '../agent/raw-io.js'
import type { FsStage } from '../fs-stage.js'

/** By 1 or more processes at once. */
export interface BlockReads {
  readonly path: string
  readonly bytes: number
  readonly readers: number
  /** `once`: each block once, by one of the readers. `again`: any block by any reader, for a time. */
  readonly each: 'once' | 'again'
}

/** Reading each block once ends after so many times the budget, however much is left: it may be slow. */
const patience = 3

/** Blocks in a second, of all readers. */
export async function readBlocks(stage: FsStage, reads: BlockReads): Promise<number> {
  const { path, bytes, readers, each } = reads
  const budgetMs = each === 'once' ? stage.amounts.budgetMs * patience : stage.amounts.budgetMs
  const partBytes = each === 'once' ? Math.floor(bytes / readers / blockBytes) * blockBytes : bytes
  if (fio() !== undefined) {
    const args = ['--rw=randread', `--bs=${blockBytes}`, `--numjobs=${readers}`, `--size=${partBytes}`]
    const parts = each === 'once' ? [`--offset_increment=${partBytes}`] : ['--time_based']
    const { read } = await runFio(stage, path, [...args, ...parts, `--runtime=${budgetMs}ms`])
    return read.total_ios / (read.runtime / 1000)
  }
  const agents = await Promise.all(Array.from({ length: readers }, (_, number) => stage.agent(number)))
  const done = await Promise.all(
    agents.map((agent, number) => {
      const from = each === 'once' ? number * partBytes : 0
      return agent.call('readBlocks', { path, from, bytes: partBytes, budgetMs, each })
    }),
  )
  const operations = done.reduce((sum, work) => sum + work.operations, 0)
  return operations / Math.max(...done.map(({ seconds }) => seconds))
}

/** Overwrites blocks at random and flushes each; blocks in a second. */
export async function writeBlocks(stage: FsStage, path: string, bytes: number): Promise<number> {
  const { budgetMs } = stage.amounts
  if (fio() !== undefined) {
    const args = ['--rw=randwrite', `--bs=${blockBytes}`, '--fsync=1', `--size=${bytes}`]
    const { write } = await runFio(stage, path, [...args, '--time_based', `--runtime=${budgetMs}ms`])
    return write.total_ios / (write.runtime / 1000)
  }
  const work = { path, from: 0, bytes, budgetMs }
  const { operations, seconds } = await (await stage.agent(0)).call('writeBlocks', work)
  return operations / seconds
}

/** From end to end, in blocks of 1 MiB; MiB/s. */
export async function readStream(stage: FsStage, path: string, bytes: number): Promise<number> {
  if (fio() !== undefined) {
    const { read } = await runFio(stage, path, ['--rw=read', '--bs=1M', `--size=${bytes}`])
    return read.io_bytes / 2 ** 20 / (read.runtime / 1000)
  }
  return bytes / 2 ** 20 / (await (await stage.agent(0)).call('readStream', path))
}

/** A new file, from end to end in blocks of 1 MiB, flushed at the end; MiB/s. */
export async function writeStream(stage: FsStage, path: string, bytes: number): Promise<number> {
  if (fio() !== undefined) {
    const args = ['--rw=write', '--bs=1M', `--size=${bytes}`, '--end_fsync=1', '--create_on_open=1']
    const { write } = await runFio(stage, path, args)
    return write.io_bytes / 2 ** 20 / (write.runtime / 1000)
  }
  return bytes / 2 ** 20 / (await (await stage.agent(0)).call('writeStream', { path, bytes }))
}

/** What reads and writes blocks here, for people. */
export async function exerciserOf(): Promise<string> {
  const program = fio()
  if (program === undefined) return "the bench's own processes, as fio is not installed"
  return (await promisify(execFile)(program, ['--version'])).stdout.trim()
}

function fio(): string | undefined {
  try {
    return installed('fio')
  } catch (reason) {
    if (reason instanceof RowSkipped) return undefined
    throw reason
  }
}

interface FioTransfer {
  readonly io_bytes: number
  readonly total_ios: number
  /** Milliseconds. */
  readonly runtime: number
}

interface FioJob {
  readonly read: FioTransfer
  readonly write: FioTransfer
}

async function runFio(stage: FsStage, path: string, args: readonly string[]): Promise<FioJob> {
  // What is in the kernel's caches is the rows' own business, so fio is not to touch them.
  const always = [
    '--name=bench',
    `--filename=${path.replaceAll(':', String.raw`\:`)}`,
    '--ioengine=psync',
    '--invalidate=0',
  ]
  const shape = ['--fallocate=none', '--group_reporting', '--output-format=json']
  const agent = await stage.agent(0)
  const run = { program: installed('fio'), args: [...always, ...shape, ...args], cwd: stage.root }
  const { stdout } = await agent.call('run', run)
  // Warnings may come first.
  const { jobs } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { readonly jobs: readonly FioJob[] }
  const [job] = jobs
  if (job === undefined) throw new Error('fio tells of no job')
  return job
}
