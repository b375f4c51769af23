import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import type { ConsistencyDifferences } from '../address/consistency-settings.js'
import { consistencyChoices, nearestPreset, presetNames, presets } from '../address/consistency-vector.js'
import type { RegionAttributes } from '../address/descriptor.js'

/** Settings of consistency by the names that the command line gives them; texts until they are made settings. */
export interface ConsistencyTexts {
  readonly consistency?: string
  readonly stalenessMs?: string
  readonly stalenessVersions?: string
  readonly failure?: string
  readonly concurrency?: string
  readonly isolation?: string
}

type Key = keyof ConsistencyTexts

/** As `--set` and `attributes` write them. */
export const consistencyKeys: ReadonlyMap<string, Key> = new Map<string, Key>([
  ['consistency', 'consistency'],
  ['staleness-ms', 'stalenessMs'],
  ['staleness-versions', 'stalenessVersions'],
  ['failure', 'failure'],
  ['concurrency', 'concurrency'],
  ['isolation', 'isolation'],
])

/** No bound. */
const unbounded = 'none'

/** Adds the options to a command that makes a region. */
export function withConsistencyOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--consistency <preset>', 'what its users may rely on (default: strict)').choices(
        presetNames,
      ),
    )
    .option(
      '--staleness-ms <n>',
      'bounded: how old what is read may be, or none (default: 1000)',
      boundArgument,
    )
    .option(
      '--staleness-versions <n>',
      'bounded: how many versions behind, or none (default: none)',
      boundArgument,
    )
    .addOption(
      new Option('--failure <how>', 'what goes on while its home cannot be reached').choices(
        consistencyChoices.failure,
      ),
    )
    .addOption(
      new Option('--concurrency <how>', 'whom a writer keeps out').choices(consistencyChoices.concurrency),
    )
    .addOption(
      new Option('--isolation <how>', 'what an open lock sees of changes').choices(
        consistencyChoices.isolation,
      ),
    )
    .option('--conflicts <name>', 'the registered test of which locks conflict')
    .option('--merge <name>', 'eventual: the registered function that merges versions of a page')
}

/** One setting as `--set` has it, checked. */
export function consistencyText(key: Key, text: string): ConsistencyTexts {
  if (key === 'stalenessMs' || key === 'stalenessVersions') boundArgument(text)
  else {
    const choices: readonly string[] = key === 'consistency' ? presetNames : consistencyChoices[key]
    if (!choices.includes(text)) throw new InvalidArgumentError(`Allowed choices are ${choices.join(', ')}.`)
  }
  return { [key]: text }
}

/** What the texts, which were checked, say; undefined where they say nothing. */
export function consistencyOf(texts: ConsistencyTexts): ConsistencyDifferences | undefined {
  const { consistency: preset, stalenessMs, stalenessVersions, failure, concurrency, isolation } = texts
  const words = { preset, failure, concurrency, isolation }
  const staleness = {
    ...(stalenessMs === undefined ? {} : { ms: boundOf(stalenessMs) }),
    ...(stalenessVersions === undefined ? {} : { versions: boundOf(stalenessVersions) }),
  }
  const settings = {
    ...Object.fromEntries(Object.entries(words).filter(([, word]) => word !== undefined)),
    ...(Object.keys(staleness).length === 0 ? {} : { staleness }),
  }
  return Object.keys(settings).length === 0 ? undefined : settings
}

/** In the form that `--set` takes: the preset, and what differs from it; of `bounded`, the bounds in any case. */
export function consistencyLines({ consistency, conflicts, merge }: RegionAttributes): string[] {
  const preset = nearestPreset(consistency)
  const usual = presets[preset]
  const { ms, versions } = consistency.staleness
  const bounds = [`staleness-ms=${boundText(ms)}`, `staleness-versions=${boundText(versions)}`]
  const words = (['concurrency', 'failure', 'isolation'] as const).filter(
    (setting) => consistency[setting] !== usual[setting],
  )
  return [
    `consistency=${preset}`,
    ...(preset === 'bounded' ? bounds : []),
    ...words.map((setting) => `${setting}=${consistency[setting]}`),
    ...(conflicts === '' ? [] : [`conflicts=${conflicts}`]),
    ...(merge === '' ? [] : [`merge=${merge}`]),
  ]
}

function boundArgument(text: string): string {
  if (text === unbounded || /^\d{1,15}$/.test(text)) return text
  throw new InvalidArgumentError(`A whole number from 0, or "${unbounded}".`)
}

function boundOf(text: string): number {
  return text === unbounded ? Infinity : Number(text)
}

function boundText(bound: number): string {
  return bound === Infinity ? unbounded : String(bound)
}
