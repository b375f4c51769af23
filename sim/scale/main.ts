import { runScale } from './program.js'

await runScale(process.argv.slice(2))
