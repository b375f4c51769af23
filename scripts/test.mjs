// The gate, `npm test [-- [--long] [PATTERN...]]`: sets up, builds, and runs every check, also where an earlier one has
// failed. `--long` gives the simulations more seeds (KHAZANA_SIM_SEEDS, a count for every simulated scenario) and time.
import { join } from 'node:path'
import { build } from './build.mjs'
import { provideEtcd } from './etcd.mjs'
import { root, run, say } from './run.mjs'
import { setup } from './setup.mjs'

const simulationSeedsLong = 1000

const args = process.argv.slice(2)
const unknown = args.find((arg) => arg.startsWith('-') && arg !== '--long')
if (unknown !== undefined) {
  say(`no such option: ${unknown}. Usage: npm test [-- [--long] [PATTERN...]]`)
  process.exit(2)
}

const steps = []

/** Does one step, and keeps whether `work` gave status 0, how long it took, and what there is to tell. */
async function step(name, work) {
  say(name)
  const start = process.hrtime.bigint()
  const { code, note = '' } = await work()
  const seconds = Number(process.hrtime.bigint() - start) / 1e9
  steps.push({ name, code, seconds, note })
  return code === 0
}

async function check(script) {
  const { code, text } = await run('npm', ['run', '--silent', script], { output: 'captured' })
  if (code !== 0) process.stdout.write(text)
  return { code }
}

async function tests() {
  const env = { ...process.env }
  if (args.includes('--long')) env.KHAZANA_SIM_SEEDS ??= String(simulationSeedsLong)
  let note = 'no test ran'
  const onMessage = ({ pass, fail, skipped }) => {
    note = `${pass + fail} tests, ${pass} passed, ${fail} failed, ${skipped} skipped`
  }
  const { code } = await run(
    process.execPath,
    ['--enable-source-maps', join(root, 'scripts', 'run-tests.mjs'), ...args],
    {
      env,
      onMessage,
    },
  )
  return { code, note }
}

await step('setup', async () => {
  await setup()
  await provideEtcd()
  return { code: 0 }
})
const isBuilt = await step('build', async () => ({ code: await build() }))
await step('lint:code', () => check('lint:code'))
await step('lint:layers', () => check('lint:layers'))
await step('lint:dead', () => check('lint:dead'))
await step('lint:format', () => check('lint:format'))
await step('tests', () => (isBuilt ? tests() : { code: 1, note: 'not run: the build failed' }))

const failed = steps.filter(({ code }) => code !== 0)
process.stdout.write('\n')
for (const { name, code, seconds, note } of steps) {
  process.stdout.write(
    `${code === 0 ? 'ok  ' : 'FAIL'} ${name.padEnd(12)} ${seconds.toFixed(1).padStart(6)} s  ${note}\n`,
  )
}
process.stdout.write(
  failed.length === 0 ? 'all checks passed\n' : `failed: ${failed.map(({ name }) => name).join(', ')}\n`,
)
process.exitCode = failed.length === 0 ? 0 : 1
