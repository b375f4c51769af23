import type { ChildProcess } from 'node:child_process'

const children = new Set<ChildProcess>()
let isListening = false

/** Kills the process when this one ends, however that comes about; but for SIGKILL, which nobody hears. */
export function endWithThisProcess(child: ChildProcess): void {
  if (!isListening) {
    isListening = true
    process.on('exit', () => {
      for (const each of children) each.kill('SIGKILL')
    })
  }
  children.add(child)
  child.on('exit', () => children.delete(child))
}
