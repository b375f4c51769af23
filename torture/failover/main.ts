import { tolerateGoneReaders } from '../../src/cli/standard-output.js'
import { runProgram } from './program.js'

tolerateGoneReaders()
await runProgram(process.argv.slice(2))
