// Makes a checkout ready: the right Node, and the packages that package-lock.json names. Idempotent. It runs before
// anything is installed, so that it and all other scripts use Node alone.
import { existsSync, lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { fail, root, run, say } from './run.mjs'

const nodeVersionMin = [20, 19]

export async function setup() {
  checkNode()
  const missing = whatIsMissing()
  if (missing === undefined) return
  if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()) {
    fail(`${missing}, and node_modules is a link to another place: run "npm ci" there`)
  }
  checkLock()
  say(`${missing}: installing (npm ci)`)
  await install()
}

/**
 * `npm ci` refuses a lockfile that leaves out optional packages for other machines, which happens where it was written
 * against a registry that lacks them. `npm install` takes it, and installs the same versions; what it has installed is
 * compared with the lockfile in either case.
 */
async function install() {
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  const clean = await run('npm', ['ci', ...quiet], { output: 'captured' })
  if (clean.code === 0) return
  process.stderr.write(clean.text.split('\n').slice(0, 12).join('\n') + '\n')
  say('npm ci failed, as above: trying npm install, which changes no file of the checkout')
  const { code } = await run('npm', ['install', '--no-save', ...quiet], { output: 'stderr' })
  if (code !== 0) fail(`npm install failed with status ${code}`)
  const missing = whatIsMissing()
  if (missing !== undefined) fail(`npm install did not install what package-lock.json names: ${missing}`)
}

/** A dependency that the lockfile does not pin must not slip in. */
function checkLock() {
  const wanted = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const locked = readPackages(join(root, 'package-lock.json'))['']
  for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies']) {
    if (isDeepStrictEqual(wanted[kind] ?? {}, locked[kind] ?? {})) continue
    fail(`package-lock.json does not fit the ${kind} in package.json: run "npm install" and commit both`)
  }
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
