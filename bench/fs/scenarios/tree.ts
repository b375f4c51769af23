import { execFile } from 'node:child_process'
import { lstat, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { installed } from '../../peers/installed.js'
import { median } from '../../statistics.js'
import { project } from '../fs-stage.js'
import type { FsStage } from '../fs-stage.js'
import type { Scenario } from '../scenario.js'

/** Where the tree's files are taken from, in this order, until there are enough. */
const sources = ['src', 'docs', 'test', 'bench', 'sim', 'torture', 'examples', 'node_modules']
const fileBytesMax = 256 * 1024
const statusRuns = 5

/** The same at any place and on any machine. */
const gitEnv = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'bench',
  GIT_AUTHOR_EMAIL: 'bench@localhost',
  GIT_COMMITTER_NAME: 'bench',
  GIT_COMMITTER_EMAIL: 'bench@localhost',
}

/** Files of this very project and of the packages it uses. */
export const tree: Scenario = {
  rows: [
    { name: 'untar', title: 'a tree of 2,277 files unpacked by tar (50 with --quick)', unit: 's' },
    { name: 'git-commit', title: 'git init, add and commit of them', unit: 's' },
    { name: 'git-status', title: 'git status then', unit: 's' },
  ],
  limitMs: 180_000,
  open: async ({ directory }, stage) => {
    const [tar, git] = [installed('tar'), installed('git')]
    const archive = await stage.once('tree.tar', () => archiveOf(stage, tar))
    const agent = await stage.agent(0)
    const cwd = `${directory}/tree`
    const runGit = async (...args: string[]): Promise<number> =>
      (await agent.call('run', { program: git, args, cwd, env: gitEnv })).seconds
    return {
      round: async () => {
        await agent.call('remove', cwd)
        await agent.call('makeDirectory', cwd)
        const untar = await agent.call('run', { program: tar, args: ['-xf', archive], cwd })
        const commit =
          (await runGit('init', '--quiet')) +
          (await runGit('add', '--all')) +
          (await runGit('-c', 'gc.auto=0', 'commit', '--quiet', '--message', 'all'))
        const statuses: number[] = []
        for (let run = 0; run < statusRuns; run++) statuses.push(await runGit('status', '--short'))
        return { untar: untar.seconds, 'git-commit': commit, 'git-status': median(statuses) }
      },
    }
  },
}

/** An archive of so many files as are asked for, on the local disk. */
async function archiveOf(stage: FsStage, tar: string): Promise<string> {
  const names: string[] = []
  for (const source of sources) await addFiles(source, names, stage.amounts.treeFiles)
  const [list, archive] = [join(stage.root, 'tree.txt'), join(stage.root, 'tree.tar')]
  await writeFile(list, names.join('\n'))
  await promisify(execFile)(tar, ['-cf', archive, '-C', project, '-T', list])
  return archive
}

/** Follows no links, but for the first name; in the order of names. */
async function addFiles(folder: string, names: string[], countMax: number): Promise<void> {
  const entries = await readdir(join(project, folder), { withFileTypes: true })
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = `${folder}/${entry.name}`
    // What git would not take.
    if (entry.name.startsWith('.')) continue
    if (entry.isDirectory()) await addFiles(path, names, countMax)
    else if (names.length < countMax && entry.isFile()) {
      if ((await lstat(join(project, path))).size <= fileBytesMax) names.push(path)
    }
    if (names.length >= countMax) return
  }
}
