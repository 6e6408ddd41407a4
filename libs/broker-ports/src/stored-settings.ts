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
