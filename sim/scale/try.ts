import { measureScale } from './measure-scale.js'
const [nodes = 4, regions = 400, samples = 20] = process.argv.slice(2).map(Number)
const now = performance.now.bind(performance)
const t = now()
const r = await measureScale({ seed: 1, nodes, regions, samples, progress: (w) => process.stderr.write(`${((now() - t) / 1000).toFixed(1)} ${w}\n`) })
const f = (s: { median: number; p99: number; max: number }) => `${s.median}/${s.p99}/${s.max}`
for (const o of r.operations) console.log(o.name.padEnd(34), String(o.samples).padStart(4), f(o.messages).padStart(14), f(o.bytes).padStart(20), f(o.connections).padStart(12), f(o.wireBytes).padStart(20), JSON.stringify(o.foundBy))
console.log(JSON.stringify({ ...r, operations: undefined }))
