import { runSimulations } from './program.js'

await runSimulations(process.argv.slice(2))
