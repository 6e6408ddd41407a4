/** Values of a log line. Never a payload, a password or a key. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Structured log of a process. `event` is a stable kebab-case name, for example `redis-unavailable`. */
export interface Log {
  /** For whoever looks for a cause. */
  debug(event: string, fields?: LogFields): void;
  /** A change worth knowing in normal service. */
  info(event: string, fields?: LogFields): void;
  /** Service goes on, but an operator should look. */
  warn(event: string, fields?: LogFields): void;
  /** Something was not done that should have been. */
  error(event: string, fields?: LogFields): void;
}
