import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'

/** The command as users run it. Tests run in the checkout. */
export const bin = resolve('bin/khazana')

export interface Outcome {
  /** The exit status; undefined where a signal ended it. */
  readonly status: number | undefined
  readonly stdout: Buffer
  readonly stderr: string
}

export interface RunOptions {
  /** The node, as `--at` takes it. */
  readonly at?: string
  readonly input?: Uint8Array | string
  readonly env?: Readonly<Record<string, string>>
  /** Where it runs; in the checkout unless told. */
  readonly cwd?: string
}

/** Runs `khazana` with these arguments to its end. */
export async function khazana(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { KHAZANA_AT: _ours, ...inherited } = process.env
  const env = {
    ...inherited,
    ...(options.at === undefined ? {} : { KHAZANA_AT: options.at }),
    ...options.env,
  }
  const cwd = options.cwd ?? process.cwd()
  const child = spawn(process.execPath, [bin, ...args], { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes))
  child.stderr.on('data', (bytes: Buffer) => stderr.push(bytes))
  // It may end without having read all.
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input ?? '')
  const [status] = (await once(child, 'close')) as [number | null]
  return {
    status: status ?? undefined,
    stdout: Buffer.concat(stdout),
    stderr: Buffer.concat(stderr).toString(),
  }
}

/** What it printed, without the end of the line. Fails the test unless it succeeded. */
export async function output(args: readonly string[], options: RunOptions = {}): Promise<string> {
  return (await bytesOf(args, options)).toString().trimEnd()
}

export async function bytesOf(args: readonly string[], options: RunOptions = {}): Promise<Buffer> {
  const { status, stdout, stderr } = await khazana(args, options)
  if (status !== 0) throw new Error(`khazana ${args.join(' ')}: status ${status}: ${stderr}`)
  return stdout
}
