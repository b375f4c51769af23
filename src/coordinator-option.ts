import { EtcdAccess, endpointsMax } from './coordinator/etcd/etcd-access.js'
import { nodeClock } from './io/node/clock.js'
import { nodeHttp } from './io/node/http.js'
import type { TlsOptions } from './io/http.js'
import type { NodeOptions } from './node/node-options.js'
import { KhazanaError } from './stdx/errors.js'

/** Which coordinator a node uses: nodes of one cluster use the same, from its founding on. */
export type CoordinatorChoice =
  /** The node that founded the cluster keeps it. */
  | 'embedded'
  /** An etcd, version 3.4 or later; 1 to 32 of its members, `HOST:PORT`. With `tls`, over TLS. */
  | { readonly etcd: readonly string[]; readonly tls?: TlsOptions }

const scheme = 'etcd://'

/** `embedded`, or `etcd://HOST:PORT,HOST:PORT`. Throws `invalid-argument`. */
export function parseCoordinator(text: string): CoordinatorChoice {
  if (text === 'embedded') return text
  const etcd = text.startsWith(scheme) ? text.slice(scheme.length).split(',') : []
  const isSound = etcd.length >= 1 && etcd.length <= endpointsMax && etcd.every(isHostAndPort)
  if (isSound) return { etcd }
  throw new KhazanaError(
    'invalid-argument',
    `a coordinator is "embedded" or ${scheme}HOST:PORT, with commas between up to ${endpointsMax} members, not ${text}`,
  )
}

/** For `NodeOptions.coordinator`: what a cluster keeps in the etcd has names of its own. Throws `invalid-argument`. */
export function coordinatorOf(choice: CoordinatorChoice): Pick<NodeOptions, 'coordinator'> {
  if (choice === 'embedded') return {}
  const { etcd, tls } = choice
  const endpoints = etcd.map((member) => `${tls === undefined ? 'http' : 'https'}://${member}`)
  const access = (namespace: string): EtcdAccess =>
    new EtcdAccess({ clock: nodeClock, http: nodeHttp(tls), endpoints, namespace })
  // What cannot be is told before a node is made.
  access('check/').close()
  return { coordinator: (cluster) => access(`khazana/${cluster}/`) }
}

function isHostAndPort(text: string): boolean {
  const match = /^(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):([0-9]{1,5})$/.exec(text)
  return match !== null && Number(match[1]) >= 1 && Number(match[1]) <= 65_535
}
