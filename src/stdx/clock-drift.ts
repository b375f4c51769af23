/** By what part the rates of two machines' clocks may differ (DESIGN section 7): what is promised in milliseconds is counted so, where it is counted by another clock. */
export const clockDriftMax = 0.01
