import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { secondsSince } from './raw-io.js'

export interface ProgramRun {
  readonly program: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
}

export interface ProgramDone {
  /** From start to end. */
  readonly seconds: number
  readonly stdout: string
}

export interface Programs {
  /** Throws with what it said where it does not succeed. It ends with this process. */
  run(argument: ProgramRun): Promise<ProgramDone>
}

const saidCharsMax = 1000

export function programs(): Programs {
  const running = new Set<ChildProcess>()
  process.once('exit', () => {
    for (const child of running) child.kill('SIGKILL')
  })
  return {
    run: ({ program, args, cwd, env = {}, input = '' }) =>
      new Promise((resolve, reject) => {
        const start = performance.now()
        const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: 'pipe' })
        running.add(child)
        const stdout: Buffer[] = []
        const stderr: Buffer[] = []
        child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes))
        child.stderr.on('data', (bytes: Buffer) => stderr.push(bytes))
        // It may end without having read all; its status then says so.
        child.stdin.on('error', () => undefined)
        child.stdin.end(input)
        child.on('error', reject)
        child.on('close', (status, signal) => {
          running.delete(child)
          const seconds = secondsSince(start)
          const said = Buffer.concat(stderr).toString().slice(-saidCharsMax)
          if (status === 0) resolve({ seconds, stdout: Buffer.concat(stdout).toString() })
          else reject(new Error(`${program} ${args.join(' ')} ends with ${signal ?? status}: ${said}`))
        })
      }),
  }
}
