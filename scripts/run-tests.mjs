// Runs the compiled tests: run-tests.mjs [--long] [PATTERN...]. A pattern is a regular expression for names of tests.
// Fails where a test fails, hangs, leaves something open, or where none ran at all.
import { existsSync, readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import compactReporter from './compact-reporter.mjs'
import { root } from './run.mjs'

const args = process.argv.slice(2)
const patterns = args.filter((arg) => arg !== '--long')

/**
 * Node 20 applies its time-out to a file as a whole, later versions to each test, and those let a file that keeps
 * something open run for ever. So a second bound ends everything once nothing has been heard for a little longer.
 */
const timeoutMs = args.includes('--long') ? 3_600_000 : 300_000
const silenceMs = timeoutMs + 5_000
const giveUp = new AbortController()
let silence = setTimeout(blameForSilence, silenceMs)

const counts = { pass: 0, fail: 0, skipped: 0 }
/** Tests that have begun and not ended, by file. */
const running = new Map()

const events = run({
  files: testFiles(),
  concurrency: availableParallelism(),
  timeout: timeoutMs,
  signal: giveUp.signal,
  ...(patterns.length > 0 && { testNamePatterns: patterns.map((pattern) => new RegExp(pattern)) }),
})
events.on('data', () => {
  clearTimeout(silence)
  silence = setTimeout(blameForSilence, silenceMs)
})
events.on('test:dequeue', (data) => runningIn(data.file).add(data.name))
events.on('test:complete', (data) => runningIn(data.file).delete(data.name))
events.on('test:pass', (data) => count('pass', data))
events.on('test:fail', (data) => count('fail', data))

const report = process.stdout.isTTY ? events.compose(new spec()) : events.compose(compactReporter)
for await (const chunk of report) process.stdout.write(chunk)

clearTimeout(silence)
const ran = counts.pass + counts.fail
if (ran === 0) process.stdout.write('\nFAIL no test ran\n')
process.stdout.write(`\ntests ${ran}, pass ${counts.pass}, fail ${counts.fail}, skipped ${counts.skipped}\n`)
process.send?.(counts)
process.exitCode = ran === 0 || counts.fail > 0 ? 1 : 0

/** Suites, and files as a whole, count only where they fail by themselves: in a hook, or by running out of time. */
function count(outcome, data) {
  const isWhole = data.details.type === 'suite' || isFile(data)
  if (outcome === 'pass' && isWhole) return
  const { failureType } = data.details.error ?? {}
  if (failureType === 'subtestsFailed') return
  counts[data.skip === undefined || data.skip === false ? outcome : 'skipped'] += 1
  if (isFile(data) && failureType === 'testTimeoutFailure') blame(data.file)
}

function blameForSilence() {
  for (const [file, names] of running) if (names.size > 0) blame(file)
  giveUp.abort()
}

function blame(file) {
  const names = [...runningIn(file)].filter((name) => name !== file)
  const reason =
    names.length > 0
      ? `running: ${names.join(' > ')}`
      : 'all its tests had ended, but something was left open'
  process.stdout.write(`\nout of time: ${file}: ${reason}\n`)
}

function isFile(data) {
  return data.nesting === 0 && data.name === data.file
}

function runningIn(file) {
  const names = running.get(file) ?? new Set()
  running.set(file, names)
  return names
}

function testFiles() {
  const folder = join(root, 'dist', 'test')
  if (!existsSync(folder)) return []
  const names = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.test.js'))
  return names.sort().map((name) => join(folder, name))
}
