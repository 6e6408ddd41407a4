/** A client's byte stream as a listener offers it: TCP, TLS or WebSocket make no difference to the core. */
export interface Transport {
  /** The configured name of the listener. */
  readonly listener: string;
  readonly remoteAddress: string;
  /** Bytes handed over that the peer has not taken yet. */
  readonly bufferedBytes: number;
  /** Writes a turn's output at once. The chunks are never changed afterwards. */
  send(chunks: readonly Uint8Array[]): void;
  /** Stops (or goes on) reading from the peer. */
  hold(held: boolean): void;
  /** Ends the stream after what was sent. A peer that does not read is cut off after a while. */
  end(): void;
}

/** What a listener tells of its stream. */
export interface TransportEvents {
  /** Bytes came. The core may keep views of the chunk until the turn's work is done. */
  received(chunk: Uint8Array): void;
  /** What was sent has left. */
  drained(): void;
  /** The stream is gone; nothing follows. */
  ended(): void;
}
