import { spawn } from 'node:child_process'
import type { ChildProcess, SpawnOptions } from 'node:child_process'

const children = new Set<ChildProcess>()
let isListening = false

/**
 * Starts a program, the first word of the command. It is in a group of its own, as an interrupt from the terminal is for the run alone,
 * and killed when this process ends, however that comes about; but for SIGKILL, which nobody hears.
 */
export function startChild(command: readonly string[], options: SpawnOptions): ChildProcess {
  const [program, ...args] = command
  if (program === undefined) throw new Error('a command has a program')
  const child = spawn(program, args, { ...options, detached: true })
  if (!isListening) {
    isListening = true
    process.on('exit', () => {
      for (const each of children) each.kill('SIGKILL')
    })
  }
  children.add(child)
  child.on('exit', () => children.delete(child))
  return child
}
