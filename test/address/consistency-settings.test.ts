import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { resolveVector } from '../../src/address/consistency-settings.js'
import type { ConsistencySettings } from '../../src/address/consistency-settings.js'
import { consistencyChoices, presetNames, presets } from '../../src/address/consistency-vector.js'
import type { ConsistencyPreset, ConsistencyVector } from '../../src/address/consistency-vector.js'
import { protocolFor } from '../../src/address/protocol-choice.js'
import { KhazanaError } from '../../src/stdx/errors.js'

type Words = Omit<ConsistencyVector, 'staleness'>

/** What each protocol serves, said once more, in another form than the rules that are tested. */
const served: readonly (readonly [protocol: string, preset: ConsistencyPreset, ...settings: string[][]])[] = [
  ['crew', 'strict', ['exclusive'], ['strict'], ['refuse'], ['durable'], ['snapshot']],
  ['release', 'release', ['shared', 'serial'], ['release'], ['refuse'], ['durable'], ['snapshot', 'live']],
  ['bounded', 'bounded', ['serial'], ['bounded'], ['refuse', 'read-only'], ['durable'], ['snapshot', 'live']],
  ['eventual', 'eventual', ['local'], ['background'], ['available'], ['accepted'], ['snapshot', 'live']],
]

function* combinations(): Generator<Words> {
  for (const concurrency of consistencyChoices.concurrency)
    for (const synchronization of consistencyChoices.synchronization)
      for (const failure of consistencyChoices.failure)
        for (const visibility of consistencyChoices.visibility)
          for (const isolation of consistencyChoices.isolation)
            yield { concurrency, synchronization, failure, visibility, isolation }
}

function refusal(settings: ConsistencySettings, base?: ConsistencyVector): string {
  try {
    resolveVector(settings, base)
  } catch (error) {
    assert.ok(error instanceof KhazanaError && error.code === 'invalid-argument', String(error))
    return error.message
  }
  throw new assert.AssertionError({ message: `${JSON.stringify(settings)} should be refused` })
}

describe('every combination of settings', () => {
  test('is served by exactly one protocol, or refused in words that name what cannot go together', () => {
    const counts = { all: 0, served: 0 }
    for (const words of combinations()) {
      counts.all += 1
      const { concurrency, synchronization, failure, visibility, isolation } = words
      const values = [concurrency, synchronization, failure, visibility, isolation]
      const by = served.filter(([, , ...sets]) =>
        values.every((value, at) => sets[at]?.includes(value) === true),
      )
      const settings = { ...words, staleness: presets[nearest(synchronization)].staleness }
      const [found] = by
      if (found === undefined) {
        const message = refusal(settings)
        const [, one, its, other, others] =
          /^(\w+) '([\w-]+)' cannot go with (\w+) '([\w-]+)': .{20,}\. Use /.exec(message) ?? []
        assert.ok(one !== undefined && other !== undefined && one !== other, message)
        assert.deepEqual([words[one as keyof Words], words[other as keyof Words]], [its, others], message)
        // Whatever the rest is: the two settings that are named are never served together.
        const together = served.some(([, , ...sets]) =>
          [its, others].every((value) => sets.some((set) => set.includes(value ?? ''))),
        )
        assert.equal(together, false, message)
      } else {
        counts.served += 1
        assert.equal(by.length, 1)
        const vector = resolveVector(settings)
        assert.deepEqual(vector, settings)
        assert.equal(protocolFor(vector), found[0])
      }
    }
    assert.deepEqual(counts, { all: 4 * 4 * 3 * 2 * 2, served: 1 + 4 + 4 + 2 })
  })

  test('has a bound of staleness exactly where reads may be behind by one', () => {
    const { ms, versions } = { ms: [0, 250, Infinity], versions: [0, 3, Infinity] }
    for (const preset of presetNames) {
      for (const staleness of ms.flatMap((one) => versions.map((other) => ({ ms: one, versions: other })))) {
        const isNone = staleness.ms === 0 && staleness.versions === 0
        const isAny = staleness.ms === Infinity && staleness.versions === Infinity
        const fits = preset === 'bounded' ? !isAny : preset === 'eventual' ? isAny : isNone
        if (fits) assert.deepEqual(resolveVector({ preset, staleness }).staleness, staleness)
        else
          assert.match(
            refusal({ preset, staleness }),
            /^staleness \{ ms: .* cannot go with synchronization '/,
          )
      }
    }
  })

  test('is refused with what to use instead', () => {
    for (const [settings, words] of [
      [{ concurrency: 'exclusive', failure: 'available' }, /two sides of a partition .*'eventual'$/],
      [{ preset: 'strict', isolation: 'live' }, /'release'$/],
      [{ preset: 'eventual', failure: 'refuse' }, /nothing to fail for .* Use failure 'available'/],
      [{ preset: 'eventual', staleness: { ms: 5000 } }, /nobody knows what the newest is.*'bounded'/],
      [{ preset: 'bounded', concurrency: 'shared' }, /concurrency 'serial'/],
      [{ preset: 'bounded', staleness: { ms: Infinity } }, /needs a bound/],
    ] as const) {
      assert.match(refusal(settings), words)
    }
  })
})

describe('settings of consistency', () => {
  test('are a preset by its name', () => {
    for (const preset of presetNames) {
      assert.deepEqual(resolveVector(preset), presets[preset])
      assert.deepEqual(resolveVector({ preset }), presets[preset])
      assert.deepEqual(resolveVector(preset, presets.eventual), presets[preset], 'whatever was before')
    }
    assert.deepEqual(resolveVector({}), presets.strict)
  })

  test('change what they name, and keep the rest of what was before', () => {
    const before = resolveVector({ preset: 'bounded', staleness: { versions: 5 }, isolation: 'live' })
    assert.deepEqual(before.staleness, { ms: 1000, versions: 5 })
    const after = resolveVector({ staleness: { ms: 20 }, failure: 'read-only' }, before)
    assert.deepEqual(after, { ...before, staleness: { ms: 20, versions: 5 }, failure: 'read-only' })
    assert.deepEqual(resolveVector({ isolation: undefined, staleness: undefined }, before), before)
    assert.deepEqual(before.staleness, { ms: 1000, versions: 5 }, 'which is untouched')
  })

  test('that name another synchronization begin with the preset of that one', () => {
    assert.deepEqual(resolveVector({ synchronization: 'release' }), presets.release)
    assert.deepEqual(resolveVector({ synchronization: 'background' }, presets.bounded), presets.eventual)
    const bounded = resolveVector({ synchronization: 'bounded', staleness: { ms: 5 } }, presets.eventual)
    assert.deepEqual(bounded, { ...presets.bounded, staleness: { ms: 5, versions: Infinity } })
  })

  test('that are none are refused in words', () => {
    for (const [settings, words] of [
      ['sloppy', /'strict' or 'release' or 'bounded' or 'eventual'/],
      [7, /consistency must be an object/],
      [null, /consistency must be an object/],
      [{ preset: 'sloppy' }, /preset of consistency must be/],
      [{ concurrency: 'none' }, /^consistency\.concurrency must be 'exclusive' or /],
      [{ failure: 1 }, /^consistency\.failure must be/],
      [{ fialure: 'refuse' }, /no setting "fialure".*failure/],
      [{ staleness: 5 }, /staleness must be an object/],
      [{ staleness: { seconds: 1 } }, /staleness has no setting "seconds"/],
      [{ staleness: { ms: -1 } }, /^staleness\.ms is .* not -1$/],
      [{ staleness: { ms: NaN } }, /^staleness\.ms is/],
      [{ staleness: { ms: '5' } }, /^staleness\.ms is/],
      [{ staleness: { versions: 1.5 } }, /^staleness\.versions is a whole number/],
      [{ staleness: { versions: -1 } }, /^staleness\.versions is/],
      [{ staleness: { versions: NaN } }, /^staleness\.versions is/],
    ] as const) {
      assert.match(refusal(settings as unknown as ConsistencySettings, presets.bounded), words)
    }
  })
})

function nearest(synchronization: ConsistencyVector['synchronization']): ConsistencyPreset {
  return (
    served.find(([, , , synchronizations]) => synchronizations?.includes(synchronization) === true)?.[1] ??
    'strict'
  )
}
