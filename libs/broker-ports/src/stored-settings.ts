/** Settings that were made at run time and lie above those of the configuration of every node. */
export interface ConfigDocument {
  readonly id: 'config';
  /** Grows by one with each change, and is never used again. */
  readonly version: number;
  /** Sections with keys, as in the configuration. */
  readonly overrides: Readonly<Record<string, unknown>>;
  /** Who has made this version of it. */
  readonly by: string;
  readonly atMs: number;
}

/** The only id of a {@link ConfigDocument}. */
export const CONFIG_DOCUMENT_ID = 'config';

/** In which order the rules of bridges are asked for a message, as it was set at run time. */
export interface RuleOrderDocument {
  readonly id: 'rule-order';
  /** The ids of all rules there were. */
  readonly rules: readonly string[];
}

/** The only id of a {@link RuleOrderDocument}. */
export const RULE_ORDER_DOCUMENT_ID = 'rule-order';

/** A listener that was made or changed at run time: its settings lie above those of the configuration of every node. */
export interface ListenerDocument {
  /** The name of the listener. */
  readonly id: string;
  /** Keys of a listener, as in the configuration. */
  readonly settings: Readonly<Record<string, unknown>>;
}
