/** A session that holds a filter. A later session of the same client is another holder. */
export interface ExclusiveHolder {
  readonly clientId: string;
  /** When the session was made, as its record says. */
  readonly createdAtMs: number;
}

/**
 * Who holds the filters of exclusive subscriptions, in the whole cluster.
 *
 * @remarks A hold has no time limit of its own: it stays with its session, whichever node has that, until it is released.
 * Whether the holder's session still exists is for the caller to say. Calls reject with a StoreUnavailableError when the
 * store does not answer.
 */
export interface ExclusiveStore {
  /**
   * Gives a filter to a session if nobody holds it, or exactly the one that it is to replace.
   *
   * @returns who holds the filter now.
   */
  claim(
    filter: string,
    holder: ExclusiveHolder,
    replaces?: ExclusiveHolder,
  ): Promise<ExclusiveHolder>;
  /** Gives up those of the filters that the session holds. */
  release(filters: readonly string[], holder: ExclusiveHolder): Promise<void>;
  /** Releases what the store holds in memory; no call may follow. */
  close(): Promise<void>;
}
