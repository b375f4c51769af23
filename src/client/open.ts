import type { World } from '../io/world.js'
import { checkText } from '../stdx/checks.js'
import { KhazanaError } from '../stdx/errors.js'
import { ConnectedSite } from '../node/connected-site.js'
import type { ConnectOptions } from '../node/connected-site.js'
import { timeoutOf } from '../io/deadline.js'
import type { WaitOptions } from '../io/deadline.js'
import { parseEndpoint, unixEndpoint } from '../node/endpoint-text.js'
import { Node } from '../node/node.js'
import type { NodeOptions } from '../node/node-options.js'
import type { SiteAccess } from '../node/site-access.js'
import { Khazana } from './khazana.js'

export interface OpenOptions
  extends WaitOptions, Omit<NodeOptions, 'world' | 'directory' | 'listen' | 'join'> {
  /** The node's directory: made where it is missing. */
  readonly dir: string
  /** `host:port` to accept other nodes at; none unless told. */
  readonly listen?: string
  /** `host:port` of any node of a cluster to join. */
  readonly join?: string
  /** Be the node or throw `directory-in-use`; unless told, a directory that is served already is connected to. */
  readonly exclusive?: boolean
}

export type ConnectToOptions = Omit<ConnectOptions, 'world' | 'endpoint'>

/** How long to wait before looking again at a directory that is neither free nor served: its node starts or stops. */
const retryMs = 50

/** The name of the socket in a node's directory. */
export function socketIn(dir: string): string {
  return `${dir}/khazana.sock`
}

/**
 * Global memory kept in a directory. The first process to open it becomes its node; others that open it meanwhile
 * become clients of that process, with the same interface. When that process ends, so does their access: their calls
 * wait for somebody to open the directory again, within their timeouts.
 */
export async function open(world: World, options: OpenOptions): Promise<Khazana> {
  const { clock } = world
  checkText(options.dir, 'dir')
  const until = clock.now() + timeoutOf(options)
  for (;;) {
    try {
      return new Khazana(await openSite(world, options))
    } catch (reason) {
      const error = KhazanaError.from(reason)
      const isBetween = error.code === 'directory-in-use' && options.exclusive !== true
      if (!isBetween || clock.now() >= until) throw error
    }
    await new Promise<void>((resolve) => {
      clock.after(retryMs, resolve)
    })
  }
}

async function openSite(world: World, options: OpenOptions): Promise<SiteAccess> {
  const { dir, listen, join, exclusive, signal, timeoutMs, socketPath = socketIn(dir), ...rest } = options
  const { protocols, conflictTests, mergeFunctions } = options
  try {
    return await Node.start({
      ...rest,
      world,
      directory: dir,
      socketPath,
      ...(listen === undefined ? {} : { listen: parseEndpoint(listen) }),
      ...(join === undefined ? {} : { join: parseEndpoint(join) }),
    })
  } catch (reason) {
    const inUse = KhazanaError.from(reason)
    if (inUse.code !== 'directory-in-use' || exclusive === true) throw inUse
    try {
      const wait = {
        ...(signal === undefined ? {} : { signal }),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      }
      const plugins = {
        ...(protocols === undefined ? {} : { protocols }),
        ...(conflictTests === undefined ? {} : { conflictTests }),
        ...(mergeFunctions === undefined ? {} : { mergeFunctions }),
      }
      return await ConnectedSite.connect({ ...wait, ...plugins, world, endpoint: unixEndpoint(socketPath) })
    } catch (error) {
      if (KhazanaError.from(error).code === 'unreachable') throw inUse
      throw error
    }
  }
}

/** Global memory through a node that runs elsewhere: `host:port`, or the path of its socket. */
export async function connect(
  world: World,
  endpoint: string,
  options: ConnectToOptions = {},
): Promise<Khazana> {
  return new Khazana(await ConnectedSite.connect({ ...options, world, endpoint: parseEndpoint(endpoint) }))
}
