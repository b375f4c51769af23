/**
 * How a message crosses a connection. All numbers of the prelude are little-endian.
 *
 *     0  u16  `frameMark`
 *     2  u16  number of pages
 *     4  u32  bytes of the whole frame
 *     8  u32  bytes of the message
 *    12  u48  the message's number in the session's stream; 0 for messages outside of it
 *    18  u48  how many numbered messages the sender has received
 *    24       the message, as `message-layout.ts` says
 *             one byte for each page: the binary logarithm of its size, and `zeroPageMark` for a page that was never written
 *             the pages, one after the other, without those that were never written
 *
 * There is no checksum: what leaves the machine goes through TLS, which has a better one; the mark, and the sums of
 * lengths that must agree, tell a stream that is no stream of frames.
 */
export const frameMark = 0x4b5a
export const preludeBytes = 24

export const payloadLogMin = 12
/** A patch may be longer than the largest page: the bytes it changes, and where they are. */
export const payloadLogMax = 21

/** All bytes of the page are 0, and are not sent. */
export const zeroPageMark = 0x80

export const sequenceMax = 2 ** 48 - 1
