// Sees to it that tests find an etcd: that of the machine, or else Debian's, unpacked beside the installed packages. Nothing is installed on
// the machine and no service begins. Where neither is possible, tests that need it are skipped, with the reason.
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root, run, say } from './run.mjs'

/** Where the tests look, too (test/coordinator/etcd-process.ts). */
const folder = join(root, 'node_modules', '.cache', 'etcd')
const unpacked = join(folder, 'usr', 'bin', 'etcd')

export async function provideEtcd() {
  const folders = (process.env.PATH ?? '').split(delimiter)
  if ([...folders.map((path) => join(path, 'etcd')), unpacked].some((path) => existsSync(path))) return
  say('there is no etcd for the tests: unpacking etcd-server of Debian')
  const problem = (await unpack()) ?? (existsSync(unpacked) ? undefined : 'the package has no etcd')
  if (problem === undefined) return
  say(`tests with a real etcd will be skipped: install etcd-server to run them (${problem})`)
}

/** Why it could not be done. */
async function unpack() {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  let problem = await download()
  if (problem !== undefined) {
    // Perhaps the lists of packages are missing, or old: only root may fetch them.
    const { code } = await run('apt-get', ['update'], { output: 'captured' })
    if (code === 0) problem = await download()
  }
  if (problem !== undefined) return problem
  const [file] = readdirSync(folder).filter((name) => name.endsWith('.deb'))
  if (file === undefined) return 'apt-get left no package'
  const { code, text } = await run('dpkg-deb', ['--extract', join(folder, file), folder], {
    output: 'captured',
  })
  return code === 0 ? undefined : lastLine(text)
}

async function download() {
  const shell = ['-c', 'cd "$1" && apt-get download etcd-server', 'sh', folder]
  const { code, text } = await run('sh', shell, { output: 'captured' })
  return code === 0 ? undefined : lastLine(text)
}

function lastLine(text) {
  return text.trim().split('\n').at(-1)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await provideEtcd()
