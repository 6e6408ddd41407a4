/** What is wrong with the settings of a source; nothing of a secret is repeated. */
export interface SourceFault {
  readonly field: string;
  readonly problem: string;
  readonly fix: string;
}

/** A source that was opened, or what is wrong with it. */
export type OpenedSource<Source> =
  | { readonly kind: 'opened'; readonly source: Source }
  | { readonly kind: 'faulty'; readonly fault: SourceFault };
