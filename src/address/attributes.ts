import type { RegionAttributes } from './descriptor.js'
import type { AttributeChanges } from '../wire/message.js'
export declare function checkAttributes(a: Partial<RegionAttributes>): RegionAttributes
export declare function applyChanges(a: RegionAttributes, c: AttributeChanges): RegionAttributes
