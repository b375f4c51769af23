import type { PosixAgent } from './posix-agent.js'

/** Stands in for an agent: some of its calls are others, as those of a faulty file system would be. */
export function planted(agent: PosixAgent, calls: Partial<PosixAgent>): PosixAgent {
  return new Proxy(agent, {
    get: (target, name) => Reflect.get(name in calls ? calls : target, name) as unknown,
  })
}
