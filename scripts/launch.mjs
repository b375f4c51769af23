import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildIfStale } from './build.mjs'
import { fail, root } from './run.mjs'
import { setup } from './setup.mjs'

/**
 * Sets up, builds where needed, then becomes the compiled program: same process, same arguments, so that signals, the
 * terminal and the exit status are the program's own.
 */
export async function launch(program) {
  await setup()
  await buildIfStale()
  const file = join(root, 'dist', program)
  if (!existsSync(file)) fail(`there is no ${join('dist', program)}`)
  process.argv[1] = file
  await import(pathToFileURL(file).href)
}
