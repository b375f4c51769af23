import type { Connection } from '../../src/io/network.js'

/** A connection as lines of text. */
export interface Lines {
  send(line: string): void
  close(): void
}

const decoder = new TextDecoder()
const encoder = new TextEncoder()

/** Starts the connection. `onLine` gets each whole line, `onClosed` is called once at the end. */
export function linesOf(connection: Connection, onLine: (line: string) => void, onClosed: () => void): Lines {
  let rest = ''
  connection.start({
    data: (chunk) => {
      const lines = (rest + decoder.decode(chunk)).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) onLine(line)
    },
    drain: () => undefined,
    closed: onClosed,
  })
  return {
    send: (line) => void connection.send([encoder.encode(`${line}\n`)]),
    close: () => connection.close(),
  }
}
