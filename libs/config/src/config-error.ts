/** One thing that is wrong with the configuration. */
export interface ConfigFault {
  /** The key, the environment variable or the flag, as its author wrote it. */
  readonly field: string;
  readonly problem: string;
  readonly fix: string;
}

/**
 * Says what is wrong with the configuration: every fault at once, in a line of its own.
 *
 * @remarks The message repeats no value, because a value may be a secret in the wrong place.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'CONFIG_INVALID';
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    const lines = faults.map(({ field, problem, fix }) => `${field}: ${problem}; ${fix}`);
    // Each bad item of a list that a variable gives is a fault of the variable.
    super([...new Set(lines)].join('\n'));
    this.faults = faults;
  }
}
