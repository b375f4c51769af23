import { frameBytesMax } from '../../wire/limits.js'

/** The bounds of one session. Bytes are of frames, acknowledged or not. */
export interface SessionLimits {
  /** Unacknowledged bytes from which on a session is not `writable`. */
  readonly sendBytesHigh: number
  /** Unacknowledged, or queued, bytes at which the session is given up. */
  readonly sendBytesMax: number
  /** Bytes received after which an acknowledgement is sent, if nothing else carried one. */
  readonly acknowledgeBytes: number
  /** Bytes of one frame received. */
  readonly frameBytesMax: number
}

export const defaultSessionLimits: SessionLimits = {
  sendBytesHigh: 8 * 1024 * 1024,
  sendBytesMax: 256 * 1024 * 1024,
  acknowledgeBytes: 256 * 1024,
  frameBytesMax,
}
