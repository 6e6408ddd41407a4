/** The certificate that a client has shown in its TLS handshake; it was found valid. */
export interface ClientCertificate {
  /** The common name of its subject, where it has exactly one. */
  readonly commonName?: string;
  /** Its alternative names with their kind, such as `DNS:device-7` and `URI:urn:device:7`. */
  readonly sans: readonly string[];
  /** SHA-256 of the whole certificate in lower-case hexadecimal digits. */
  readonly fingerprint: string;
  /** When it ends. */
  readonly notAfterMs: number;
}

/** A client's byte stream as a listener offers it: TCP, TLS or WebSocket make no difference to the core. */
export interface Transport {
  /** The configured name of the listener. */
  readonly listener: string;
  readonly remoteAddress: string;
  /** Absent without TLS, and when the client has shown none. */
  readonly certificate?: ClientCertificate;
  /** Bytes handed over that the peer has not taken yet. */
  readonly bufferedBytes: number;
  /** Writes a turn's output at once. The chunks are never changed afterwards. */
  send(chunks: readonly Uint8Array[]): void;
  /** Stops (or goes on) reading from the peer. */
  hold(held: boolean): void;
  /** The client is known now: its packets may be as large as any. For streams that collect bytes before they hand them over. */
  authenticated?(): void;
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
