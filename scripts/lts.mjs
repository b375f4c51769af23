// Runs the compiled tests under the newest Node with long-term support: npm run test:lts [-- [--long] [PATTERN...]].
// That Node comes from the npm package `node` and is kept in a cache folder; it is no dependency of the project.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { build } from './build.mjs'
import { fail, root, run, say } from './run.mjs'
import { setup } from './setup.mjs'

const majorMin = 20

await setup()
const code = await build()
if (code !== 0) process.exit(code)

const { node, version } = await newestLts()
say(`testing under Node ${version}`)
const tests = await run(node, [
  '--enable-source-maps',
  join(root, 'scripts', 'run-tests.mjs'),
  ...process.argv.slice(2),
])
process.exitCode = tests.code

/** An even major gets long-term support half a year after its first release, and says so itself from then on. */
async function newestLts() {
  const versions = await publishedVersions()
  for (let major = evenMajorOf(versions.at(-1)); major >= majorMin; major -= 2) {
    const version = versions.findLast((candidate) => majorOf(candidate) === major)
    if (version === undefined) continue
    const node = await install(version)
    const { code, stdout, text } = await run(node, ['-p', 'process.release.lts ?? ""'], {
      output: 'captured',
    })
    if (code !== 0) fail(`${node} does not run: ${text}`)
    if (stdout.trim() !== '') return { node, version }
    say(`Node ${version} has no long-term support yet`)
  }
  return fail('the npm package "node" has no version with long-term support')
}

/** Stable versions of the npm package `node`, ascending. */
async function publishedVersions() {
  const { code, stdout, text } = await run(
    'npm',
    ['view', 'node', 'versions', '--json', '--loglevel=error'],
    {
      output: 'captured',
    },
  )
  if (code !== 0) fail(`cannot ask npm for the versions of Node: ${text}`)
  const stable = JSON.parse(stdout).filter((version) => /^\d+\.\d+\.\d+$/.test(version))
  return stable.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
}

/** The path of that Node, installed if it is not in the cache. */
async function install(version) {
  const folder = join(root, 'node_modules', '.cache', 'node', version)
  const node = join(folder, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (existsSync(node)) return node
  say(`fetching Node ${version}`)
  const args = [
    'install',
    '--prefix',
    folder,
    '--no-save',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    `node@${version}`,
  ]
  const { code } = await run('npm', args, { output: 'stderr' })
  if (code !== 0 || !existsSync(node)) fail(`could not install Node ${version} into ${folder}`)
  return node
}

function majorOf(version) {
  return Number(version.split('.')[0])
}

function evenMajorOf(version) {
  const major = majorOf(version)
  return major - (major % 2)
}
