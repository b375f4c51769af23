import { tolerateGoneReaders } from '../../src/cli/standard-output.js'
import { runScale } from './program.js'

tolerateGoneReaders()
await runScale(process.argv.slice(2))
