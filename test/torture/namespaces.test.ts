import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { setTimeout } from 'node:timers/promises'
import { test } from 'node:test'
import { Namespaces } from '../../torture/cluster/namespaces.js'

const port = 7500
/** After this, what was sent before has arrived or never will. */
const settleMs = 300
const heardMsMax = 20_000

/** Sends a datagram to the other machine again and again, and prints a line for each that it gets. */
const program = `
  const socket = require('node:dgram').createSocket('udp4')
  socket.on('message', () => console.log('heard'))
  socket.bind(${port}, process.argv[1], () => setInterval(() => socket.send('x', ${port}, process.argv[2]), 20))
`

/** A program on a machine that talks to another one. */
class Talker {
  readonly #child: ChildProcess
  #heard = 0

  constructor(network: Namespaces, machine: number, other: number) {
    const addresses = [network.hostOf(machine), network.hostOf(other)]
    const [command = '', ...args] = [
      ...network.prefix(machine),
      process.execPath,
      '-e',
      program,
      ...addresses,
    ]
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child.stdout?.on('data', () => {
      this.#heard += 1
    })
  }

  /** Whether it hears anything from now on. Silence is believed at once, since the other side is known to talk. */
  async hears(expected: 'the other' | 'nothing'): Promise<boolean> {
    await setTimeout(settleMs)
    const before = this.#heard
    const waitMsMax = expected === 'nothing' ? settleMs : heardMsMax
    for (let waitedMs = 0; waitedMs < waitMsMax && this.#heard === before; waitedMs += 20)
      await setTimeout(20)
    return this.#heard > before
  }

  end(): void {
    this.#child.kill('SIGKILL')
  }
}

test('a way between two machines is cut in one direction alone, and mended', async (context) => {
  let made: Namespaces
  try {
    made = await Namespaces.make(2)
  } catch (reason) {
    context.skip(`network namespaces cannot be made here: ${String(reason)}`)
    return
  }
  await using network = made
  const talkers = [new Talker(network, 1, 2), new Talker(network, 2, 1)] as const
  try {
    const [first, second] = talkers
    assert.ok((await first.hears('the other')) && (await second.hears('the other')))
    await network.cut(1, 2)
    assert.ok(!(await second.hears('nothing')), 'what the first one sends does not arrive')
    assert.ok(await first.hears('the other'), 'what the second one sends does')
    await network.mend(1, 2)
    assert.ok(await second.hears('the other'))
  } finally {
    for (const talker of talkers) talker.end()
  }
})
