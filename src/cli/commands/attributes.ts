import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { RegionAttributes } from '../../address/descriptor.js'
import type { AttributeSettings } from '../../address/attributes.js'
import { addressArgument, replicasArgument } from '../arguments.js'
import { clientCommand, withClient } from '../client-command.js'
import { writeJson, writeLine } from '../standard-output.js'

interface Options {
  readonly set?: AttributeSettings
  readonly json?: true
}

const labelPrefix = 'label.'

const description = `Show the attributes of a region, or change them.

Attributes: protocol, min-replicas, and label.NAME for texts of your own; an empty one removes the label. A change is
made as a whole or not at all.`

const examples = `  khazana attributes ::1:0:0
  khazana attributes ::1:0:0 --set label.owner=mail label.note="do not free"
  khazana attributes ::1:0:0 --set label.note=`

export function addAttributes(program: Command): void {
  const command = clientCommand(program, 'attributes', description, examples)
    .argument('<address>', 'of the region', addressArgument)
    .option('--set <key=value...>', 'change attributes', settingArgument)
    .option('--json', 'print as JSON')
    .action((address: Address, { set, json }: Options) =>
      withClient(command, async ({ khazana, wait }) => {
        const region = await khazana.region(address, wait)
        const attributes =
          set === undefined ? await region.refresh(wait) : await region.setAttributes(set, wait)
        if (json === true) await writeJson({ address: formatAddress(region.address), ...attributes })
        else await writeLine(textOf(attributes).join('\n'))
      }),
    )
}

/** Called for each setting, with what the earlier ones gave. */
function settingArgument(text: string, before: AttributeSettings = {}): AttributeSettings {
  const split = text.indexOf('=')
  const key = split === -1 ? text : text.slice(0, split)
  const value = text.slice(split + 1)
  if (split !== -1 && key === 'protocol') return { ...before, protocol: value }
  if (split !== -1 && key === 'min-replicas') return { ...before, minReplicas: replicasArgument(value) }
  if (split !== -1 && key.startsWith(labelPrefix)) {
    return { ...before, labels: { ...before.labels, [key.slice(labelPrefix.length)]: value } }
  }
  throw new InvalidArgumentError('protocol=NAME, min-replicas=N or label.NAME=TEXT.')
}

/** In the form that `--set` takes. */
function textOf({ protocol, minReplicas, labels }: RegionAttributes): string[] {
  const lines = Object.entries(labels).map(([name, text]) => `${labelPrefix}${name}=${text}`)
  return [`protocol=${protocol}`, `min-replicas=${minReplicas}`, ...lines]
}
