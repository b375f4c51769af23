import { demand } from './contract-violation.js'
import { overlap } from './protocol-claims.js'
import type { ProtocolSection } from './protocol-section.js'
import type { ProtocolSite } from './protocol-site.js'
import { wordsOfRange } from './protocol-words.js'

/** The home may take storage away when nobody uses the pages by a right that still stands. */
export function checkSeizure<M>(seizure: ProtocolSection, sites: readonly ProtocolSite<M>[]): void {
  for (const site of sites) {
    for (const section of site.sections) {
      if (section === seizure || section.state !== 'open') continue
      const isBound = site.isValid && site.manager.needsLease(section.mode, section.request.terms)
      demand(
        !isBound || !overlap(section.range, seizure.range),
        `the home grants ${seizure.name}, to free ${wordsOfRange(seizure.range)}, while ${section.name} is open`,
      )
    }
  }
}
