import { launch } from './launch.mjs'

await launch('torture/failover/main.js')
