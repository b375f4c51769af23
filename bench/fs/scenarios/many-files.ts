import type { Scenario } from '../scenario.js'

/** Many files of one directory, one after the other. */
export const manyFiles: Scenario = {
  rows: [
    { name: 'create', title: 'empty files created', unit: '/s' },
    { name: 'stat', title: 'stat of each, again and again', unit: '/s' },
    { name: 'list', title: 'names listed after dropping caches, with an lstat of each', unit: '/s' },
    { name: 'rename', title: 'files renamed in their directory', unit: '/s' },
    { name: 'unlink', title: 'files removed', unit: '/s' },
    { name: 'create-sync', title: 'files created with 4 KiB in them and an fsync', unit: '/s' },
  ],
  limitMs: 180_000,
  open: async (place, stage) => {
    const { files, syncedFiles, budgetMs } = stage.amounts
    const agent = await stage.agent(0)
    const directory = `${place.directory}/files`
    const work = { directory, count: files }
    return {
      round: async () => {
        await agent.call('makeDirectory', directory)
        const create = files / (await agent.call('create', work))
        const looked = await agent.call('stat', { ...work, budgetMs })
        await stage.chill([])
        const list = files / (await agent.call('list', work))
        const rename = files / (await agent.call('rename', work))
        const unlink = files / (await agent.call('unlink', work))
        const seconds = await agent.call('createSynced', { directory, count: syncedFiles })
        await agent.call('remove', directory)
        return {
          create,
          stat: looked.operations / looked.seconds,
          list,
          rename,
          unlink,
          'create-sync': syncedFiles / seconds,
        }
      },
    }
  },
}
