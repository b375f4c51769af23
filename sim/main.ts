import { tolerateGoneReaders } from '../src/cli/standard-output.js'
import { runSimulations } from './program.js'

tolerateGoneReaders()
await runSimulations(process.argv.slice(2))
