import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { lostIncrements } from '../../torture/checks/counters.js'
import { judge } from '../../torture/checks/judgement.js'
import type { Judgement } from '../../torture/checks/judgement.js'
import { orderOperations } from '../../torture/record.js'
import { audit, concluded, opening, openingText, read, write } from './history-of.js'

const counter = 'r1-n1/counter-0'
const account = (number: number): string => `r1-n1/account-${number}`

function places(judgement: Judgement): Readonly<Record<keyof Judgement, readonly string[]>> {
  const { lost, stale, sums, undecided } = judgement
  const of = (findings: readonly { readonly where: string }[]): readonly string[] =>
    findings.map(({ where }) => where)
  return { lost: of(lost), stale: of(stale), sums: of(sums), undecided: of(undecided) }
}

const clean = { lost: [], stale: [], sums: [], undecided: [] }

describe('the judgement of a torture run', () => {
  test('finds nothing where every read is of the newest, also beside writes of unknown outcome', () => {
    const judgement = judge(
      ...concluded(
        write(counter, '1#a', null, [0, 10]),
        read(counter, '1#a', [11, 12]),
        // Never answered, and seen by nobody.
        write(counter, '2#b', '1#a', [13, null]),
        // Never answered, but seen.
        write(counter, '2#c', '1#a', [14, null]),
        write(counter, '3#d', '2#c', [20, 30]),
        read(counter, '3#d', [31, 32]),
      ),
    )
    assert.deepEqual(places(judgement), clean)
  })

  test('finds an acknowledged increment that is gone at the end', () => {
    const judgement = judge(
      ...concluded(
        write(counter, '1#a', null, [0, 10]),
        write(counter, '2#b', '1#a', [11, 20]),
        read(counter, '1#a', [30, 31]),
      ),
    )
    assert.deepEqual(places(judgement), { ...clean, lost: [counter] })
    assert.match(judgement.lost[0]?.explanation ?? '', /"2#b"/)
  })

  test('finds an acknowledged increment that another one replaced', () => {
    const judgement = judge(
      ...concluded(
        write(counter, '1#a', null, [0, 10]),
        write(counter, '2#b', '1#a', [11, 20]),
        write(counter, '2#c', '1#a', [21, 30]),
        read(counter, '2#c', [31, 32]),
      ),
    )
    assert.deepEqual(places(judgement), { ...clean, lost: [counter] })
  })

  test('counts increments also where their order in the history says nothing', () => {
    const history = orderOperations([
      write(counter, '1#a', null, [0, 10]),
      write(counter, '1#b', null, [0, 10]),
      write(counter, '2#c', '1#b', [0, null]),
    ])
    const ends = (value: string): number => lostIncrements(history, new Map([[counter, value]])).length
    assert.deepEqual([ends('1#b'), ends('2#b'), ends('3#c'), ends('4#c')], [1, 0, 0, 1])
  })

  test('finds a read of what had been replaced before it began', () => {
    const judgement = judge(
      ...concluded(
        write(counter, '1#a', null, [0, 10]),
        write(counter, '2#b', '1#a', [11, 20]),
        read(counter, '1#a', [21, 22]),
        read(counter, '2#b', [23, 24]),
      ),
    )
    assert.deepEqual(places(judgement), { ...clean, stale: [counter] })
  })

  test('finds a read of what nobody wrote, such as a page that is half old and half new', () => {
    const torn = 'torn: 1#a at its begin, 2#b at its end'
    const judgement = judge(
      ...concluded(
        write(counter, '1#a', null, [0, 10]),
        read(counter, torn, [11, 12]),
        read(counter, '1#a', [13, 14]),
      ),
    )
    assert.deepEqual(places(judgement), { ...clean, stale: [counter] })
  })

  test('finds a section that saw one half of a transfer, although each account by itself is in order', () => {
    const [same, less, more] = [openingText(), '93#t', '107#t']
    const transfer = [
      write(account(0), less, same, [10, 20]),
      write(account(1), more, same, [10, 20]),
    ] as const
    const end = audit('r1-n1', 'after', [less, more, same, same], [40, 41])
    const during = (values: readonly string[]): Judgement =>
      judge(
        ...concluded(...opening('r1-n1'), ...transfer, ...audit('r1-n1', 'during', values, [12, 18]), ...end),
      )
    assert.deepEqual(places(during([same, same, same, same])), clean)
    assert.deepEqual(places(during([less, more, same, same])), clean)
    assert.deepEqual(places(during([less, same, same, same])), { ...clean, sums: ['r1-n1'] })
  })

  test('says so where a value was written twice, so that nobody can tell', () => {
    const judgement = judge(
      ...concluded(
        write(counter, '1#a', null, [0, 10]),
        write(counter, '1#a', null, [0, 10]),
        read(counter, '1#a', [20, 21]),
      ),
    )
    assert.deepEqual(places(judgement).undecided, [counter])
  })

  test('does not call lost what could not be read at the end', () => {
    const [history] = concluded(write(counter, '1#a', null, [0, 10]))
    assert.deepEqual(places(judge(history, new Map())), clean)
  })
})

test('operations of several processes are put into the order of their times, where a tie proves nothing', () => {
  const ordered = orderOperations([
    write(counter, '2#b', '1#a', [10, 20]),
    write(counter, '1#a', null, [0, 10]),
    read(counter, '1#a', [5, null]),
  ])
  assert.deepEqual(
    ordered.map(({ value, invokeOrder, completeOrder }) => [value, invokeOrder, completeOrder]),
    [
      ['1#a', 0, 3],
      ['1#a', 1, null],
      ['2#b', 2, 4],
    ],
  )
})
