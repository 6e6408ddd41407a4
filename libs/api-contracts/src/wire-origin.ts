/** Which request of the API a command comes from. */
export interface WireOrigin {
  readonly requestId: string;
  /** The context of the caller's trace, as the request has it (W3C Trace Context). */
  readonly traceparent?: string;
}

/** What a command bears besides; a node of an earlier version passes it over. */
export interface WithOrigin {
  /** Absent where no request has asked. */
  readonly origin?: WireOrigin;
}
