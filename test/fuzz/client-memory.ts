/** A filter that a session has asked for, whatever became of it. */
export interface AskedFilter {
  readonly filter: string;
  readonly identifier: number | undefined;
}

/** What a client knows of its session over several connections. */
export class ClientMemory {
  /** Of all its sessions: a connection that is taken over may still be served when the next one begins anew. */
  readonly filters: AskedFilter[] = [];
  /** Texts that came with QoS 2. */
  readonly onlyOnce = new Set<string>();
  /** Packet ids of QoS 2 messages that came and were not released. */
  readonly unreleased = new Set<number>();
  /** Packet ids for which PUBREC was ever sent. */
  readonly recorded = new Set<number>();
  /** QoS 2 messages of this client whose PUBREC has not come, by packet id. */
  readonly unanswered = new Map<number, { readonly topic: string; readonly text: string }>();

  /** CONNACK has come; what was of an earlier session is gone if it says so. */
  connected(sessionPresent: boolean): void {
    if (sessionPresent) return;
    this.onlyOnce.clear();
    this.unreleased.clear();
    this.recorded.clear();
    this.unanswered.clear();
  }
}
