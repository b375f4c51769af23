import { launch } from './launch.mjs'

await launch('sim/main.js')
