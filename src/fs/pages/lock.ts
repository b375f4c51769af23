import type { Region } from '../../client/region.js'

/** A granted lock on pages of a region. */
export type Lock = Awaited<ReturnType<Region['lock']>>
