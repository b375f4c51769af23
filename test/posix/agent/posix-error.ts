import { constants } from 'node:os'

/** Of two names for one number, those that the manual pages use first. */
const preferred = ['EAGAIN', 'EOPNOTSUPP', 'EDEADLK']

const names = new Map<number, string>()
for (const [name, number] of Object.entries(constants.errno)) {
  if (!names.has(number) || preferred.includes(name)) names.set(number, name)
}

/** A system call that failed. `errno` is the name, such as `ENOENT`. */
export class PosixError extends Error {
  readonly errno: string

  constructor(errno: string, what: string) {
    super(`${what}: ${errno}`)
    this.errno = errno
  }
}

export function errnoName(errno: number): string {
  return names.get(errno) ?? `E${errno}`
}
