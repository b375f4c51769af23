import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nodeChecksum } from '../../src/io/node/checksum.js'
import { nodeClock } from '../../src/io/node/clock.js'
import { lineLogger } from '../../src/io/node/logger.js'
import { nodeRandom } from '../../src/io/node/random.js'

describe('the clock of the machine', () => {
  it('never runs a timer early', async () => {
    const delays = [0, 0.3, 1, 1.7, 5, 12.5]
    const early = await Promise.all(
      delays.map(async (delayMs) => {
        const started = nodeClock.now()
        await new Promise<void>((resolve) => nodeClock.after(delayMs, resolve))
        return nodeClock.now() - started < delayMs
      }),
    )
    assert.deepEqual(
      early,
      delays.map(() => false),
    )
  })

  it('runs no timer that was cancelled, also out of another timer', async () => {
    let ran = 0
    const timers = [1, 2, 3].map((delayMs) => nodeClock.after(delayMs, () => ran++))
    for (const timer of timers) timer.cancel()
    const second = nodeClock.after(50, () => ran++)
    nodeClock.after(4, () => second.cancel())
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal(ran, 0)
    timers[0]?.cancel()
  })

  it('waits for more than a month where it is told to', async () => {
    let ran = false
    const timer = nodeClock.after(1e10, () => (ran = true))
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(ran, false)
    timer.cancel()
  })
})

describe('the other senses of the machine', () => {
  it('sum CRC-32, piece by piece', () => {
    const check = new TextEncoder().encode('123456789')
    assert.equal(nodeChecksum(check, 0), 0xcbf43926)
    assert.equal(nodeChecksum(check.subarray(4), nodeChecksum(check.subarray(0, 4), 0)), 0xcbf43926)
  })

  it('draw numbers of 32 bits and bytes', () => {
    const numbers = Array.from({ length: 2000 }, () => nodeRandom.uint32())
    assert.ok(numbers.every((number) => Number.isInteger(number) && number >= 0 && number < 2 ** 32))
    assert.ok(new Set(numbers).size > 1990 && Math.max(...numbers) > 2 ** 31)
    assert.equal(nodeRandom.bytes(16).length, 16)
  })

  it('log lines that people can read, and lines that programs can', () => {
    const lines: string[] = []
    const write = (line: string): void => void lines.push(line)
    const text = lineLogger({ level: 'info', format: 'text', write })
    text.log('debug', 'not this one')
    text.log('warn', 'connection refused', { remote: '::1:80', code: 'busy', size: 3n, note: 'two words' })
    assert.match(
      lines[0] ?? '',
      /^\d{4}-\d\d-\d\dT[\d:.]+Z warn connection refused remote=::1:80 code=busy size="3" note="two words"\n$/,
    )
    lineLogger({ level: 'debug', format: 'json', write }).log('debug', 'line', {
      n: 1n,
      error: new TypeError('x'),
    })
    const entry = JSON.parse(lines[1] ?? '') as Record<string, unknown>
    assert.deepEqual(
      [entry['level'], entry['message'], entry['n'], entry['error']],
      ['debug', 'line', '1', 'TypeError: x'],
    )
  })
})
