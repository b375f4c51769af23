import type { ConsistencyVector } from './consistency-vector.js'

/**
 * Which settings of consistency cannot be had together, and why. Every rule is about two settings, so that whoever breaks
 * it sees what to change; the rules together leave exactly the combinations that a protocol serves:
 *
 * | synchronization | concurrency         | failure               | visibility | isolation        | protocol   |
 * | --------------- | ------------------- | --------------------- | ---------- | ---------------- | ---------- |
 * | `strict`        | `exclusive`         | `refuse`              | `durable`  | `snapshot`       | `crew`     |
 * | `release`       | `shared`, `serial`  | `refuse`              | `durable`  | `snapshot`, `live` | `release`  |
 * | `bounded`       | `serial`            | `refuse`, `read-only` | `durable`  | `snapshot`, `live` | `bounded`  |
 * | `background`    | `local`             | `available`           | `accepted` | `snapshot`, `live` | `eventual` |
 */
interface Rule {
  /** Any of these values of one setting ... */
  readonly these: Values
  /** ... with any of those of another. */
  readonly those: Values
  readonly because: string
  readonly instead: string
}

type Setting = Exclude<keyof ConsistencyVector, 'staleness'>
type Values = { [S in Setting]: readonly [setting: S, ...values: ConsistencyVector[S][]] }[Setting]

/** The more a rule teaches, the earlier it stands: the first one that is broken is told. */
const rules: readonly Rule[] = [
  {
    these: ['concurrency', 'exclusive', 'serial', 'shared'],
    those: ['failure', 'available'],
    because: 'two sides of a partition cannot both keep the other out',
    instead: "failure 'refuse', or the preset 'eventual'",
  },
  {
    these: ['concurrency', 'exclusive'],
    those: ['failure', 'read-only'],
    because: 'a reader that is cut off cannot know that a writer was let in, and would not be kept out',
    instead: "failure 'refuse', or the preset 'bounded'",
  },
  {
    these: ['concurrency', 'exclusive', 'serial', 'shared'],
    those: ['visibility', 'accepted'],
    because: 'the next writer begins with what the last one wrote, which must not be lost then',
    instead: "visibility 'durable', or the preset 'eventual'",
  },
  {
    these: ['concurrency', 'local'],
    those: ['synchronization', 'strict', 'release', 'bounded'],
    because: 'where writers elsewhere are not kept out, nobody knows what the newest is',
    instead: "the concurrency of that synchronization's preset, or the preset 'eventual'",
  },
  {
    these: ['concurrency', 'exclusive'],
    those: ['synchronization', 'release', 'bounded', 'background'],
    because: 'a writer cannot keep out readers who go on with the copies that they have',
    instead: "the preset 'strict', or concurrency 'serial'",
  },
  {
    these: ['concurrency', 'serial', 'shared'],
    those: ['synchronization', 'strict'],
    because: 'nothing may change under a strict lock, so that a writer must keep out readers, too',
    instead: "concurrency 'exclusive', or the preset 'release'",
  },
  {
    these: ['concurrency', 'shared'],
    those: ['synchronization', 'bounded'],
    because: 'how far a copy is behind can be told only where one write comes after the other',
    instead: "concurrency 'serial', or the preset 'release'",
  },
  {
    these: ['concurrency', 'serial', 'shared'],
    those: ['synchronization', 'background'],
    because: 'to keep other writers out the home must be asked, and in the background nobody is',
    instead: "concurrency 'local', or the preset 'release'",
  },
  {
    these: ['concurrency', 'local'],
    those: ['failure', 'refuse', 'read-only'],
    because: 'locks that ask nobody but their own site have nothing to fail for while the home is away',
    instead: "failure 'available', or the preset 'release'",
  },
  {
    these: ['concurrency', 'local'],
    those: ['visibility', 'durable'],
    because: 'who writes without asking sees it at once, before the home can have made it durable',
    instead: "visibility 'accepted', or the preset 'release'",
  },
  {
    these: ['synchronization', 'strict', 'release'],
    those: ['failure', 'read-only'],
    because: 'a copy that is cut off may lack what was unlocked since, all of which is promised',
    instead: "failure 'refuse', or the preset 'bounded'",
  },
  {
    these: ['synchronization', 'strict'],
    those: ['isolation', 'live'],
    because: 'nothing changes under a strict lock, so that there is nothing to arrive',
    instead: "isolation 'snapshot', or the preset 'release'",
  },
]

/** Why the vector cannot be, and what can be instead; undefined where it can. */
export function objectionTo(vector: ConsistencyVector): string | undefined {
  for (const { these, those, because, instead } of rules) {
    if (has(vector, these) && has(vector, those)) {
      return `${shownSetting(vector, these)} cannot go with ${shownSetting(vector, those)}: ${because}. Use ${instead}`
    }
  }
  return objectionToStaleness(vector)
}

function objectionToStaleness({ synchronization, staleness }: ConsistencyVector): string | undefined {
  const { ms, versions } = staleness
  const what = `staleness { ms: ${ms}, versions: ${versions} } cannot go with synchronization '${synchronization}'`
  switch (synchronization) {
    case 'strict':
    case 'release':
      if (ms === 0 && versions === 0) return undefined
      return `${what}, which promises that nothing is behind. Use the preset 'bounded', or leave staleness out`
    case 'bounded':
      if (ms < Infinity || versions < Infinity) return undefined
      return `${what}, which needs a bound. Give ms or versions, or use the preset 'eventual'`
    case 'background':
      if (ms === Infinity && versions === Infinity) return undefined
      return `${what}: nobody knows what the newest is, to say how far a copy is behind. Use the preset 'bounded', or leave staleness out`
  }
}

function has(vector: ConsistencyVector, [setting, ...values]: Values): boolean {
  return (values as readonly string[]).includes(vector[setting])
}

function shownSetting(vector: ConsistencyVector, [setting]: Values): string {
  return `${setting} '${vector[setting]}'`
}
