import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { RegionAttributes } from '../../address/descriptor.js'
import type { AttributeSettings } from '../../address/attributes.js'
import type { Region } from '../../client/region.js'
import type { WaitOptions } from '../../io/deadline.js'
import { addressArgument, replicasArgument } from '../arguments.js'
import { clientCommand, withClient } from '../client-command.js'
import { consistencyKeys, consistencyLines, consistencyOf, consistencyText } from '../consistency-options.js'
import type { ConsistencyTexts } from '../consistency-options.js'
import { writeJson, writeLine } from '../standard-output.js'

/** What is to be set, by key; consistency is many settings that are one attribute. */
interface Settings {
  readonly attributes: AttributeSettings
  readonly consistency: ConsistencyTexts
}

interface Options {
  readonly set?: Settings
  readonly json?: true
}

const labelPrefix = 'label.'

const possible = `${[...consistencyKeys.keys()].join('=, ')}=, conflicts=NAME, merge=NAME, protocol=NAME, min-replicas=N or label.NAME=TEXT.`

const description = `Show the attributes of a region, or change them.

Attributes: consistency, which is a preset (strict, release, bounded, eventual), and what differs from it: staleness-ms,
staleness-versions (a number, or none), failure, concurrency, isolation; conflicts and merge, which name registered functions;
protocol; min-replicas; and label.NAME for texts of your own. An empty text is none. A change is made as a whole or not at all.`

const examples = `  khazana attributes ::1:0:0
  khazana attributes ::1:0:0 --set label.owner=mail label.note="do not free"
  khazana attributes ::1:0:0 --set label.note=
  khazana attributes ::1:0:0 --set consistency=bounded staleness-ms=200`

export function addAttributes(program: Command): void {
  const command = clientCommand(program, 'attributes', description, examples)
    .argument('<address>', 'of the region', addressArgument)
    .option('--set <key=value...>', 'change attributes', settingArgument)
    .option('--json', 'print as JSON')
    .action((address: Address, { set, json }: Options) =>
      withClient(command, async ({ khazana, wait }) => {
        const region = await khazana.region(address, wait)
        const attributes = set === undefined ? await region.refresh(wait) : await change(region, set, wait)
        if (json === true) await writeJson({ address: formatAddress(region.address), ...attributes })
        else await writeLine(textOf(attributes).join('\n'))
      }),
    )
}

/** Called for each setting, with what the earlier ones gave. */
function settingArgument(text: string, before: Settings = { attributes: {}, consistency: {} }): Settings {
  const { attributes, consistency } = before
  const setting = (added: AttributeSettings): Settings => ({
    consistency,
    attributes: { ...attributes, ...added },
  })
  const split = text.indexOf('=')
  const key = split === -1 ? text : text.slice(0, split)
  const value = text.slice(split + 1)
  if (split === -1) throw new InvalidArgumentError(possible)
  const consistencyKey = consistencyKeys.get(key)
  if (consistencyKey !== undefined) {
    return { attributes, consistency: { ...consistency, ...consistencyText(consistencyKey, value) } }
  }
  if (key === 'protocol' || key === 'conflicts' || key === 'merge') return setting({ [key]: value })
  if (key === 'min-replicas') return setting({ minReplicas: replicasArgument(value) })
  if (key.startsWith(labelPrefix)) {
    return setting({ labels: { ...attributes.labels, [key.slice(labelPrefix.length)]: value } })
  }
  throw new InvalidArgumentError(possible)
}

/** Single settings are changed from what they are now, not from what a node remembers of the region. */
async function change(
  region: Region,
  { attributes, consistency }: Settings,
  wait: WaitOptions,
): Promise<RegionAttributes> {
  const settings = consistencyOf(consistency)
  if (settings === undefined) return region.setAttributes(attributes, wait)
  if (settings.preset === undefined) await region.refresh(wait)
  return region.setAttributes({ ...attributes, consistency: settings }, wait)
}

/** In the form that `--set` takes. */
function textOf(attributes: RegionAttributes): string[] {
  const { protocol, minReplicas, labels } = attributes
  const lines = Object.entries(labels).map(([name, text]) => `${labelPrefix}${name}=${text}`)
  return [`protocol=${protocol}`, ...consistencyLines(attributes), `min-replicas=${minReplicas}`, ...lines]
}
