/** The settings that decide where the spool is. */
export interface SpoolSettings {
  readonly bridge: {
    readonly spool: { readonly kind: 'local' | 'redis' | 'none'; readonly dir?: string };
  };
  readonly data: { readonly dir?: string };
}

/** Whether the node has a spool. */
export function hasSpool(settings: SpoolSettings): boolean {
  return settings.bridge.spool.kind === 'redis' || spoolDir(settings) !== undefined;
}

/** The directory of the node's spool; undefined when it has none. */
export function spoolDir({ bridge, data }: SpoolSettings): string | undefined {
  const { kind, dir } = bridge.spool;
  if (kind !== 'local') return undefined;
  return dir ?? (data.dir && `${data.dir}/spool`);
}
