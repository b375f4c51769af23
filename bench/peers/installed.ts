import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { RowSkipped } from '../row-skipped.js'

/** Where programs are unpacked that tests use and this machine does not have (scripts/etcd.mjs); seen from `dist`. */
const unpacked = fileURLToPath(new URL('../../../node_modules/.cache/', import.meta.url))

/** The path of a server's program. Throws `RowSkipped` where this machine has none. */
export function installed(program: string): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  const places = [...folders, join(unpacked, program, 'usr', 'bin')].map((folder) => join(folder, program))
  const found = places.find((path) => existsSync(path))
  if (found === undefined) throw new RowSkipped(`${program} is not installed`)
  return found
}
