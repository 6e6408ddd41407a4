/** The settings that decide where the spool is. */
export interface SpoolSettings {
  readonly bridge: {
    readonly spool: { readonly kind: 'local' | 'none'; readonly dir?: string };
  };
  readonly data: { readonly dir?: string };
}

/** The directory of the node's spool; undefined when it has none. */
export function spoolDir({ bridge, data }: SpoolSettings): string | undefined {
  const { kind, dir } = bridge.spool;
  if (kind === 'none') return undefined;
  return dir ?? (data.dir && `${data.dir}/spool`);
}
