// Makes a checkout ready: the right Node, and the packages that package-lock.json names. Idempotent. It runs before
// anything is installed, so that it and all other scripts use Node alone.
import { existsSync, lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { fail, root, run, say } from './run.mjs'

const nodeVersionMin = [20, 19]

export async function setup() {
  checkNode()
  const missing = whatIsMissing()
  if (missing === undefined) return
  if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()) {
    fail(`${missing}, and node_modules is a link to another place: run "npm ci" there`)
  }
  say(`${missing}: installing (npm ci)`)
  const { code } = await run('npm', ['ci', '--no-audit', '--no-fund'], { output: 'stderr' })
  if (code !== 0) fail(`npm ci failed with status ${code}`)
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  const [majorMin, minorMin] = nodeVersionMin
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return
  fail(
    `needs Node ${nodeVersionMin.join('.')} or newer, and this is ${process.versions.node}: see https://nodejs.org`,
  )
}

/**
 * Compares package-lock.json with the list that npm leaves of what it installed. Undefined where they agree. Optional
 * packages may be absent: most of them are for other machines.
 */
function whatIsMissing() {
  const installedList = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(installedList)) return 'no packages are installed'
  const wanted = readPackages(join(root, 'package-lock.json'))
  const installed = readPackages(installedList)
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue
    const name = path.replace(/^.*node_modules\//, '')
    const found = installed[path]
    if (found === undefined) {
      if (entry.optional || entry.devOptional) continue
      return `the package ${name} is missing`
    }
    if (found.version !== entry.version || found.integrity !== entry.integrity)
      return `the package ${name} is outdated`
    if (!existsSync(join(root, path))) return `the package ${name} is missing`
  }
  return undefined
}

function readPackages(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await setup()
  say('set up')
}
