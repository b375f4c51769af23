import { setMaxListeners } from 'node:events'
import { Prng } from '../../src/stdx/prng.js'
import { msSince } from '../clock.js'
import { Gate } from './gate.js'
import { runLane } from './lane.js'
import type { FromClient, StartRequest, ToClient } from './messages.js'
import { Notebook } from './notebook.js'

const reportMs = 250

const stop = new AbortController()

process.on('message', (message) => {
  const request = message as ToClient
  if (request.kind === 'stop') stop.abort()
  // What it rejects with is a bug of the client's own, and ends the process with its stack.
  else void run(request)
})
// The run has heard all, or has died: nobody wants to know any more.
process.on('disconnect', () => process.exit())

/** The whole life of a client process. */
async function run(request: StartRequest): Promise<void> {
  const { name, seed, origin, entrance, regions, pauseMs } = request
  // Each lane waits for it.
  setMaxListeners(regions.length + 1, stop.signal)
  const notebook = new Notebook()
  const gate = new Gate(entrance, notebook)
  if ((await gate.enter(stop.signal)) !== undefined) say({ kind: 'started' })
  const reporting = setInterval(() => report(notebook), reportMs)
  let marks = 0
  const lanes = regions.map((region) =>
    runLane(
      {
        process: `${name}/${region.name}`,
        region,
        random: Prng.fromSeed(seed).fork(`${name}/${region.name}`),
        gate,
        notebook,
        now: () => msSince(origin),
        mark: () => `${name}.${++marks}`,
        pauseMs,
      },
      stop.signal,
    ),
  )
  await Promise.all(lanes)
  clearInterval(reporting)
  report(notebook)
  await gate.close()
  // The run has it, then: it lets go of the channel, and so of this process.
  say({ kind: 'ended' })
}

function report(notebook: Notebook): void {
  const { operations, errors } = notebook.take()
  if (operations.length + errors.length > 0) say({ kind: 'report', operations, errors })
}

function say(message: FromClient): void {
  process.send?.(message)
}
