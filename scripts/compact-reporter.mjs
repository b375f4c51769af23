import { relative } from 'node:path'
import { inspect } from 'node:util'
import { root } from './run.mjs'

/**
 * For logs: a line for every test file, then each failure in full, so that the end of the log says what matters. What
 * tests print is passed on. The events of one file come in one piece, in the order of the files.
 */
export default async function* compactReporter(events) {
  const failures = []
  let current
  for await (const { type, data } of events) {
    if (type === 'test:stdout' || type === 'test:stderr') yield data.message
    if (type !== 'test:pass' && type !== 'test:fail') continue
    if (current?.path !== data.file) {
      if (current !== undefined) yield lineOf(current)
      current = { path: data.file, tests: 0, ms: 0, hasFailed: false }
    }
    if (data.details.type !== 'suite' && data.name !== data.file) current.tests += 1
    if (data.nesting === 0 && data.name !== data.file) current.ms += data.details.duration_ms
    if (type === 'test:pass') continue
    current.hasFailed = true
    if (data.details.error?.failureType !== 'subtestsFailed') failures.push(data)
  }
  if (current !== undefined) yield lineOf(current)
  for (const { name, file, line, details } of failures) {
    const { error } = details
    yield `\nFAIL ${sourceOf(file)}, line ${line} as compiled\n     ${name}\n${indent(inspect(error?.cause ?? error))}\n`
  }
}

function lineOf({ path, tests, ms, hasFailed }) {
  return `${hasFailed ? 'FAIL' : 'ok  '} ${sourceOf(path)} (${tests} tests, ${Math.round(ms)} ms)\n`
}

function sourceOf(compiled) {
  return relative(root, compiled)
    .replace(/^dist[\\/]/, '')
    .replace(/\.js$/, '.ts')
}

function indent(text) {
  return text.replace(/^/gm, '     ')
}
