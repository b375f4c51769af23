import { after, before, describe, it } from 'node:test'
import { AgentPool } from './agent-pool.js'
import { makeBed } from './bed.js'
import type { PosixScene, PosixTheme } from './bed.js'
import type { Capabilities } from './capabilities.js'
import { Checks } from './checks.js'
import { startAgent } from './posix-agent.js'
import type { PosixAgent } from './posix-agent.js'
import { mountThemes } from './scenes/mount-themes.js'
import { themes } from './scenes/themes.js'

export interface PosixTestOptions {
  readonly name: string
  /** On the file system under test. Called once everything that `before` hooks set up is there. */
  readonly directory: () => string
  /** The same directory through another mount: with it, scenes of two mounts are played too. */
  readonly otherDirectory?: () => string
  readonly capabilities: Capabilities
  /** Told how many statements about behaviour were checked. */
  readonly onChecked?: (count: number) => void
}

/**
 * Registers tests that judge a file system by a directory of it. No call on the directory is made by this process, which
 * may be the one that serves it: agents make them (see `posix-agent.ts`).
 */
export function runPosixTests(options: PosixTestOptions): void {
  const { name, otherDirectory, capabilities } = options
  const checks = new Checks()
  const pool = new AgentPool()
  const played = `posix-${process.pid}-${name.replaceAll(/\W+/g, '-')}`
  let keeper: PosixAgent
  let count = 0

  /** Plays in a fresh directory. All are removed at the end: what one leaves behind is in nobody's way. */
  const play = async (scene: PosixScene): Promise<void> => {
    const own = `${played}/${++count}`
    await keeper.mkdir(`${options.directory()}/${own}`, 0o777)
    const path = `${options.directory()}/${own}`
    const otherPath = otherDirectory === undefined ? undefined : `${otherDirectory()}/${own}`
    try {
      await scene.play(await makeBed({ checks, pool, capabilities, path, otherPath }))
    } finally {
      await pool.takeBack()
    }
  }

  const register = ({ name: theme, scenes }: PosixTheme): void => {
    describe(theme, () => {
      for (const scene of scenes) {
        const lacking = scene.needs.find((need) => capabilities[need] !== true)
        const skip = lacking === undefined ? false : `${lacking}: ${capabilities[lacking]}`
        it(scene.name, { skip }, () => play(scene))
      }
    })
  }

  describe(`${name} as a POSIX file system`, () => {
    before(async () => {
      keeper = await startAgent()
      await keeper.mkdir(`${options.directory()}/${played}`, 0o755)
    })
    after(async () => {
      try {
        await keeper.removeTree(`${options.directory()}/${played}`)
      } finally {
        await keeper.kill()
        await pool[Symbol.asyncDispose]()
        options.onChecked?.(checks.count)
      }
    })
    for (const theme of themes) register(theme)
    if (otherDirectory !== undefined) for (const theme of mountThemes) register(theme)
  })
}
