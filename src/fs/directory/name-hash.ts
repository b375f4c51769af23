/** Bits of a name's hash: the place of a name in its directory. With the number behind it it makes a whole number that a double can hold. */
export const hashBits = 40
/** Names of one directory that may have the same hash: their numbers are below this. */
export const sameHashMax = 4096

/**
 * The hash of a name: 0 to 2^40 - 1. Names are bytes, and the seed is the directory's own, so that nobody can prepare names that all
 * fall on the same page. Two rounds of 32 bits in the manner of MurmurHash3 (public domain), of which the second gives 8 bits.
 */
export function nameHash(name: Uint8Array, seed: number): number {
  const low = mix(name, seed)
  const high = mix(name, seed ^ 0x9e37_79b9) >>> 24
  return high * 0x1_0000_0000 + low
}

function mix(name: Uint8Array, seed: number): number {
  let hash = seed >>> 0
  let word = 0
  let shift = 0
  for (const byte of name) {
    word |= byte << shift
    shift += 8
    if (shift < 32) continue
    hash = round(hash, word)
    word = 0
    shift = 0
  }
  if (shift > 0) hash = round(hash, word)
  hash ^= name.length
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function round(hash: number, word: number): number {
  let part = Math.imul(word, 0xcc9e_2d51)
  part = Math.imul((part << 15) | (part >>> 17), 0x1b87_3593)
  const mixed = hash ^ part
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe654_6b64) | 0
}
