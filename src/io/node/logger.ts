import { unreachable } from '../../stdx/assert.js'
import type { Logger, LogLevel } from '../logger.js'

export type LogFormat = 'text' | 'json'

const order: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

export interface LineLoggerOptions {
  /** The least level that is written. */
  readonly level: LogLevel
  readonly format: LogFormat
  /** Takes one line with its end. Default: stderr. */
  readonly write?: (line: string) => void
}

/** One line for each entry: `2026-01-31T12:00:00.000Z warn connection refused remote=... code=busy`. */
export function lineLogger(options: LineLoggerOptions): Logger {
  const write = options.write ?? ((line: string) => void process.stderr.write(line))
  return {
    log: (level, message, fields) => {
      if (order[level] < order[options.level]) return
      write(`${formatEntry(options.format, level, message, fields ?? {})}\n`)
    },
  }
}

function formatEntry(
  format: LogFormat,
  level: LogLevel,
  message: string,
  fields: Readonly<Record<string, unknown>>,
): string {
  const time = new Date().toISOString()
  switch (format) {
    case 'json':
      return JSON.stringify({ time, level, message, ...fields }, plain)
    case 'text':
      return [
        time,
        level,
        message,
        ...Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`),
      ].join(' ')
    default:
      return unreachable(format)
  }
}

/** Quoted where it would not be one word. */
function shown(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
  return JSON.stringify(value, plain)
}

/** What JSON does not know. */
function plain(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  return value instanceof Error ? `${value.name}: ${value.message}` : value
}
