import fs from 'node:fs'

/**
 * Has the kernel read ahead so many bytes at the mount, where files are read from front to back: what the two sides agree on when they mount is only the most, and the kernel begins with
 * 128 KiB, which other nodes answer no faster than 1 MiB. Only root may. Never rejects: without it reading is slower, and nothing else.
 */
export async function readAhead(path: string, bytes: number): Promise<void> {
  try {
    // Asynchronous: this very process answers.
    const { dev } = await fs.promises.stat(path)
    const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)]
    await fs.promises.writeFile(
      `/sys/class/bdi/${major}:${minor}/read_ahead_kb`,
      String(Math.floor(bytes / 1024)),
    )
  } catch {
    // An ordinary user, or no /sys.
  }
}
