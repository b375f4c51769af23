import type { ChildProcess } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { platform } from 'node:process'

const pollMs = 1
const pollsMax = 5_000

/**
 * Stops a process, and resolves when it stands still. The signal alone does not say that: until one of its threads has taken it, the others go on, which on a
 * busy machine is long enough for an answer.
 */
export async function stopProcess(child: ChildProcess): Promise<void> {
  child.kill('SIGSTOP')
  // Elsewhere there is no telling.
  if (platform !== 'linux' || child.pid === undefined) return
  for (let polls = 0; !(await standsStill(child.pid)); polls++) {
    if (polls === pollsMax) throw new Error(`process ${child.pid} does not stop`)
    await new Promise((done) => setTimeout(done, pollMs))
  }
}

/** Whether all threads are stopped (`T` in proc(5)), or none is left. */
async function standsStill(pid: number): Promise<boolean> {
  const tasks = `/proc/${pid}/task`
  const threads = await readdir(tasks).catch(() => [])
  // A thread that has ended since stands still, too. The state follows the name, which is in parentheses, and may hold any.
  const stats = await Promise.all(
    threads.map((thread) => readFile(`${tasks}/${thread}/stat`, 'utf8').catch(() => ') T')),
  )
  return stats.every((stat) => stat.charAt(stat.lastIndexOf(')') + 2) === 'T')
}
