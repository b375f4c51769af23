export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface Logger {
  /** `fields` are plain data; the message is a constant sentence. */
  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void
}

export const silentLogger: Logger = { log: () => undefined }
