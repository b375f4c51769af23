/**
 * What crosses the sessions of one site, those that are over included, counted since the site's start: numbered messages
 * alone, each once, without renewals, acknowledgements, handshakes, and what is sent again on another connection. Bytes are
 * those of the messages' frames, pages included. Every message between nodes is counted where it is sent, and what clients
 * say, who tell nobody of themselves, where it arrives: so the nodes of a cluster can tell all that its sites have said.
 */
export class Traffic {
  #messagesSent = 0
  #bytesSent = 0
  #messagesFromClients = 0
  #bytesFromClients = 0

  get messagesSent(): number {
    return this.#messagesSent
  }

  get bytesSent(): number {
    return this.#bytesSent
  }

  get messagesFromClients(): number {
    return this.#messagesFromClients
  }

  get bytesFromClients(): number {
    return this.#bytesFromClients
  }

  /** A message was given to a session, which sends it now or on its next connection. */
  sent(frameBytes: number): void {
    this.#messagesSent += 1
    this.#bytesSent += frameBytes
  }

  /** A message has arrived for the first time. */
  receivedFrom(role: 'node' | 'client', frameBytes: number): void {
    if (role !== 'client') return
    this.#messagesFromClients += 1
    this.#bytesFromClients += frameBytes
  }
}
