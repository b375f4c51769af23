import { launch } from './launch.mjs'

await launch('sim/scale/main.js')
