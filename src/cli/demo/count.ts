import { Khazana, parseAddress } from '../../index.js'
import { increment } from './counter.js'

/** A process of the demonstration: `count.js SOCKET ADDRESS TIMES` adds to the number at the address. */
const [socket = '', address = '', times = '0'] = process.argv.slice(2)

await using khazana = await Khazana.connect(socket)
const region = await khazana.region(parseAddress(address))
for (let round = 0; round < Number(times); round++) await increment(region)
