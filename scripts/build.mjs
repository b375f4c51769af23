// Compiles src, test, bench, sim, torture and examples into dist.
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root, run, say } from './run.mjs'
import { setup } from './setup.mjs'

const sourceFolders = ['src', 'test', 'bench', 'sim', 'torture', 'examples']

/** Touched after every build without errors: what is newer has not been compiled. */
const stamp = join(root, 'dist', '.built')

/** Compiles; the status of the compiler. */
export async function build() {
  prune()
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const { code } = await run(process.execPath, [tsc, '-p', 'tsconfig.json'], { output: 'stderr' })
  if (code === 0) writeFileSync(stamp, '')
  else rmSync(stamp, { force: true })
  return code
}

/** Compiles where something has changed since the last build. Ends the process on an error of the compiler. */
export async function buildIfStale() {
  if (existsSync(stamp) && newestSource() <= statSync(stamp).mtimeMs) return
  say('building')
  const code = await build()
  if (code !== 0) process.exit(code)
}

/** Removes what was compiled from files that are gone, so that no deleted test is run and nothing deleted is shipped. */
function prune() {
  for (const folder of sourceFolders) {
    for (const file of filesIn(join('dist', folder))) {
      const source = file.replace(/^dist[\\/]/, '').replace(/(\.d\.ts|\.js|\.js\.map)$/, '.ts')
      if (!existsSync(join(root, source))) rmSync(join(root, file))
    }
  }
}

/** Milliseconds since 1970 of the last change: of a file, or of a folder, where one was added or removed. */
function newestSource() {
  const paths = [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    ...sourceFolders.flatMap((folder) => entriesIn(folder)),
  ]
  return Math.max(...paths.map((path) => statSync(join(root, path)).mtimeMs))
}

function filesIn(folder) {
  return entriesIn(folder).filter((path) => statSync(join(root, path)).isFile())
}

/** The folder itself and all in it, from the checkout; nothing where it does not exist. */
function entriesIn(folder) {
  if (!existsSync(join(root, folder))) return []
  return [folder, ...readdirSync(join(root, folder), { recursive: true }).map((name) => join(folder, name))]
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await setup()
  process.exitCode = await build()
}
