import { launch } from './launch.mjs'

await launch('torture/main.js')
