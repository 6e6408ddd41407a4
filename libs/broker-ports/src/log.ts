/** Values of a log line. Never a payload, a password or a key. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Structured log of a process. `event` is a stable kebab-case name, for example `redis-unavailable`. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}
