import { launch } from './launch.mjs'

await launch('bench/fs/main.js')
