import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The checkout, with a slash at its end. */
export const root = fileURLToPath(new URL('../', import.meta.url))

/** One short line about what a script does, on stderr: stdout belongs to what the script runs. */
export function say(line) {
  process.stderr.write(`khazana: ${line}\n`)
}

/** Ends the script with the message alone: the stack of a script helps nobody. */
export function fail(message) {
  say(message)
  process.exit(1)
}

/**
 * Runs a command in the checkout. `output` is 'through' (to the terminal), 'stderr' (all of it to stderr) or
 * 'captured' (returned as `text`, and what of it went to stdout as `stdout`). `onMessage` hears what a Node child sends. Never throws: a command that cannot be
 * started, or dies of a signal, has a code that is not 0.
 */
export function run(command, args, { output = 'through', env = process.env, onMessage } = {}) {
  const streams = {
    through: ['inherit', 'inherit', 'inherit'],
    stderr: ['ignore', 2, 2],
    captured: ['ignore', 'pipe', 'pipe'],
  }
  const stdio = [...streams[output], ...(onMessage === undefined ? [] : ['ipc'])]
  return new Promise((resolve) => {
    const chunks = []
    const stdout = []
    const child = spawn(command, args, { cwd: root, env, stdio, shell: process.platform === 'win32' })
    child.stdout?.on('data', (chunk) => {
      chunks.push(chunk)
      stdout.push(chunk)
    })
    child.stderr?.on('data', (chunk) => chunks.push(chunk))
    if (onMessage !== undefined) child.on('message', onMessage)
    const done = (code, note) => resolve({ code, stdout: textOf(stdout), text: textOf(chunks) + note })
    child.on('error', (error) => done(1, `${command}: ${error.message}\n`))
    child.on('close', (code, signal) =>
      done(code ?? 1, signal === null ? '' : `${command}: died of ${signal}\n`),
    )
  })
}

function textOf(chunks) {
  return Buffer.concat(chunks).toString('utf8')
}
