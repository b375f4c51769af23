import type { Identity } from './agent/process-calls.js'
import type { AgentPool } from './agent-pool.js'
import type { Capabilities, Capability } from './capabilities.js'
import type { Checks } from './checks.js'
import type { PosixAgent } from './posix-agent.js'

/** What a scene plays in: an empty directory (mode 0777) of the file system under test, in which its agents stand. */
export interface PosixBed extends Pick<Checks, 'same' | 'holds' | 'fails' | 'works' | 'blocks'> {
  /** Who started the suite: root, where it can be. */
  readonly a: PosixAgent
  /** One more process. By default it is who `a` is. */
  agent(identity?: Identity): Promise<PosixAgent>
  /** One more process, which stands in the same directory on the other mount. */
  across(identity?: Identity): Promise<PosixAgent>
  /** The path of the directory. */
  readonly path: string
  has(capability: Capability): boolean
}

export interface PosixScene {
  /** A sentence on what the file system does. */
  readonly name: string
  /** Without these it cannot be played. */
  readonly needs: readonly Capability[]
  readonly play: (bed: PosixBed) => Promise<void>
}

export interface PosixTheme {
  readonly name: string
  readonly scenes: readonly PosixScene[]
}

export function scene(
  name: string,
  play: (bed: PosixBed) => Promise<void>,
  ...needs: readonly Capability[]
): PosixScene {
  return { name, needs, play }
}

/** People without privileges. Nobody on a machine need have these numbers. */
export const alice: Identity = { uid: 21_001, gid: 22_001, groups: [] }
export const bob: Identity = { uid: 21_002, gid: 22_002, groups: [] }
export const root: Identity = { uid: 0, gid: 0, groups: [] }

/** A group that is nobody's first. */
export const team = 22_100

export interface BedOptions {
  readonly checks: Checks
  readonly pool: AgentPool
  readonly capabilities: Capabilities
  readonly path: string
  /** The same directory on the other mount. */
  readonly otherPath: string | undefined
}

export async function makeBed({
  checks,
  pool,
  capabilities,
  path,
  otherPath,
}: BedOptions): Promise<PosixBed> {
  const take = async (directory: string, identity: Identity | undefined): Promise<PosixAgent> => {
    const agent = await pool.take(directory)
    if (identity !== undefined) await agent.become(identity)
    return agent
  }
  const { same, holds, fails, works, blocks } = checks
  return {
    same,
    holds,
    fails,
    works,
    blocks,
    a: await pool.take(path),
    path,
    agent: (identity) => take(path, identity),
    across: (identity) => {
      if (otherPath === undefined) throw new Error('there is no other mount')
      return take(otherPath, identity)
    },
    has: (capability) => capabilities[capability] === true,
  }
}
