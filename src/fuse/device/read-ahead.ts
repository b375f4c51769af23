import fs from 'node:fs'
import path from 'node:path'

/**
 * Has the kernel read ahead so many bytes at the mount, where files are read from front to back: what the two sides agree on when they mount is only the most, and the kernel begins with
 * 128 KiB: two requests, and then a pause until both are answered. Only root may. Never rejects: without it reading is slower, and nothing else.
 *
 * The mount itself must not be looked at from here: a process that is killed while one of its own threads waits for its answer never ends.
 */
export async function readAhead(mountPoint: string, bytes: number): Promise<void> {
  try {
    const device = deviceOf(
      await realPathOf(mountPoint),
      await fs.promises.readFile('/proc/self/mountinfo', 'utf8'),
    )
    if (device === undefined) return
    await fs.promises.writeFile(`/sys/class/bdi/${device}/read_ahead_kb`, String(Math.floor(bytes / 1024)))
  } catch {
    // An ordinary user, or no /sys.
  }
}

/** Of what lies uppermost at the mount point: `major:minor`. `mounts`: as in /proc/self/mountinfo (proc(5)). */
export function deviceOf(mountPoint: string, mounts: string): string | undefined {
  let found: string | undefined
  for (const line of mounts.split('\n')) {
    const [, , device, , at = ''] = line.split(' ')
    if (unescaped(at) === mountPoint) found = device
  }
  return found
}

function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)))
}

/** Without looking at what is mounted there. */
async function realPathOf(mountPoint: string): Promise<string> {
  const { dir, base } = path.parse(path.resolve(mountPoint))
  return path.join(await fs.promises.realpath(dir), base)
}
