import { median } from '../statistics.js'
import { RowSkipped } from '../row-skipped.js'
import type { FsStage } from './fs-stage.js'
import type { FsProbe, FsRow, Place, Scenario, Values } from './scenario.js'

/** How long making and removing a directory may take. */
const tidyMsMax = 60_000

export interface FsResult {
  readonly row: FsRow
  /** One for each round. */
  readonly mount: readonly number[]
  readonly plain: readonly number[]
}

export interface Unmeasured {
  readonly name: string
  /** `skipped`: it cannot be measured here. `failed`: it should have been. */
  readonly how: 'skipped' | 'failed'
  readonly reason: string
}

export interface FsMeasured {
  readonly results: readonly FsResult[]
  readonly unmeasured: readonly Unmeasured[]
}

/** The directories to work in, of which each scenario makes one of its own. */
export interface Grounds {
  readonly mount: string
  readonly other: string | undefined
  readonly plain: string
}

export interface FsRunOptions {
  readonly rounds: number
  /** The names of the rows to report. */
  readonly wanted: ReadonlySet<string>
  /** Told what is being done. */
  readonly progress: (line: string) => void
  /** Ends it all; what the directories then have is left to who has made them. */
  readonly signal: AbortSignal
}

/**
 * Plays one scenario after the other, each at the mount and at the plain directory in turn, round by round. So what
 * disturbs the machine for a while falls on both. A scenario that fails or takes too long is reported so, and the
 * others are measured all the same. Throws where it is interrupted.
 */
export async function measureFs(
  stage: FsStage,
  scenarios: readonly Scenario[],
  grounds: Grounds,
  options: FsRunOptions,
): Promise<FsMeasured> {
  const results: FsResult[] = []
  const unmeasured: Unmeasured[] = []
  for (const [number, scenario] of scenarios.entries()) {
    options.signal.throwIfAborted()
    const rows = scenario.rows.filter(({ name }) => options.wanted.has(name))
    if (rows.length === 0) continue
    const places = placesOf(grounds, `scenario-${number}`)
    try {
      const values = await play(stage, scenario, places, options)
      for (const row of rows) results.push({ row, ...samplesOf(row, values) })
    } catch (reason) {
      options.signal.throwIfAborted()
      const how = reason instanceof RowSkipped ? 'skipped' : 'failed'
      const text = reason instanceof Error ? reason.message : String(reason)
      for (const { name } of rows) unmeasured.push({ name, how, reason: text })
    }
    for (const { directory } of places) {
      try {
        await stage.within(tidyMsMax, async () => (await stage.agent(0)).call('remove', directory))
      } catch (reason) {
        unmeasured.push({ name: `removing ${directory}`, how: 'failed', reason: String(reason) })
      }
    }
  }
  return { results, unmeasured }
}

/** The mount first. */
function placesOf({ mount, other, plain }: Grounds, name: string): readonly Place[] {
  return [
    {
      name: 'mount',
      directory: `${mount}/${name}`,
      other: other === undefined ? undefined : `${other}/${name}`,
    },
    { name: 'plain', directory: `${plain}/${name}`, other: `${plain}/${name}` },
  ]
}

interface Played {
  readonly place: Place
  readonly probe: FsProbe
  readonly values: Values[]
}

async function play(
  stage: FsStage,
  scenario: Scenario,
  places: readonly Place[],
  { rounds, progress }: FsRunOptions,
): Promise<readonly Played[]> {
  const { limitMs } = scenario
  const title = scenario.rows.map(({ name }) => name).join(', ')
  const played: Played[] = []
  for (const place of places) {
    progress(`preparing at the ${place.name}: ${title}`)
    const open = async (): Promise<FsProbe> => {
      await (await stage.agent(0)).call('makeDirectory', place.directory)
      return scenario.open(place, stage)
    }
    played.push({ place, probe: await stage.within(limitMs, open), values: [] })
  }
  for (let round = 1; round <= rounds; round++) {
    for (const { place, probe, values } of played) {
      progress(`round ${round} of ${rounds} at the ${place.name}: ${title}`)
      try {
        values.push(await stage.within(limitMs, () => probe.round()))
      } catch (reason) {
        if (reason instanceof RowSkipped) throw reason
        const text = reason instanceof Error ? reason.message : String(reason)
        throw new Error(`at the ${place.name}, round ${round}: ${text}`, { cause: reason })
      }
    }
  }
  return played
}

function samplesOf(row: FsRow, played: readonly Played[]): Pick<FsResult, 'mount' | 'plain'> {
  const at = (name: Place['name']): readonly number[] =>
    played
      .filter(({ place }) => place.name === name)
      .flatMap(({ values }) => values.map((value) => value[row.name] ?? NaN))
  return { mount: at('mount'), plain: at('plain') }
}

/** The middle of the rounds. */
export function figureOf(samples: readonly number[]): number {
  return median(samples)
}
