/**
 * Whose code an event runs. `paused`: its events are withheld until it goes on. `dead`: they never happen, so that no
 * promise of it settles again. An event without an owner belongs to the kernel, the wires or the harness.
 */
export interface EventOwner {
  readonly name: string
  readonly state: 'running' | 'paused' | 'dead'
}
