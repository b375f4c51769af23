import { Khazana } from '../../src/index.js'
import type { ConflictTest } from '../../src/index.js'
import type { Host, Part } from '../process/part.js'

export interface NodeSettings {
  readonly dir: string
  /** `host:port` of a node whose cluster to join. */
  readonly join: string | undefined
}

/** The conflict test that all nodes have: only locks with the same tag keep each other out. */
export const conflictsByTag = 'by-tag'
const byTag: ConflictTest = (a, b) => a.tag === b.tag && (a.mode !== 'read' || b.mode !== 'read')

interface NodeActions {
  listen(): Promise<string>
}

/** The process becomes a node that other nodes can reach. */
export const nodeSite: Part<NodeSettings, NodeActions> = {
  name: 'node-site',
  create: async (host, { dir, join }) => {
    const joined = join === undefined ? {} : { join }
    const conflictTests = { [conflictsByTag]: byTag }
    use(host, await Khazana.open({ dir, listen: '127.0.0.1:0', exclusive: true, conflictTests, ...joined }))
    return { listen: () => ownEndpoint(host.site, dir) }
  },
}

/** The process becomes a client of the node in a directory. */
export const clientSite: Part<{ readonly dir: string }, object> = {
  name: 'client-site',
  create: async (host, { dir }) => {
    use(host, await Khazana.connect(`unix:${dir}/khazana.sock`))
    return {}
  },
}

function use(host: Host, site: Khazana): void {
  host.use(site)
  host.atEnd(() => site.close())
}

/** The founder is the only node that its own cluster has when it is asked. */
async function ownEndpoint(site: Khazana, dir: string): Promise<string> {
  const [self] = await site.nodes()
  if (self === undefined) throw new Error(`the node in ${dir} knows no nodes`)
  return self.member.listen
}
