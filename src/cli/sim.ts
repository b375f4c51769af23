import { simulateKhazana } from '../testing/khazana/simulate-khazana.js'
const [from, to, ops, bug, trace] = process.argv.slice(2)
for (let seed = Number(from); seed <= Number(to); seed++) {
  const started = performance.now()
  const report = await simulateKhazana({ seed, operations: Number(ops), ...(bug !== undefined && bug !== '-' ? { plantedBug: bug as never } : {}), ...(trace ? { traceSink: ((line: string) => process.stdout.write(line + '\n')) } : {}) })
  console.log(seed, report.ok, report.traceHash, report.operations, report.acknowledged, JSON.stringify(report.faults), Math.round(report.virtualMs), report.steps, Math.round(performance.now() - started) + 'ms')
  if (!report.ok) { console.log(report.failure?.kind, report.failure?.message.slice(0, 3000)); if (!trace) break }
}
