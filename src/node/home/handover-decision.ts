/** Whether a region that was to go from one log to another has gone, or stays. */
export type HandoverDecision = 'go' | 'stay'
