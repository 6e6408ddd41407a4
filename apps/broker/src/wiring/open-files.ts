import { ConfigError, enabledListeners, type Config, type ListenerSettings } from '#libs/config';

/** What a listener may have where its configuration does not say. */
const CONNECTIONS_DEFAULT = 100_000;
/** Left for what is no client: Redis, bridges, stores, the ops port. */
const OTHER_FILES = 1_024;

/** A listener with its bound. */
export interface BoundListener {
  readonly settings: ListenerSettings;
  readonly connectionsMax: number;
}

/**
 * Gives every listener a bound that the limit of open files allows.
 *
 * @param openFilesMax - see openFilesMax().
 * @throws ConfigError when there are not enough for the connections that are configured.
 */
export function boundListeners(config: Config, openFilesMax: number): readonly BoundListener[] {
  const listeners = enabledListeners(config);
  const fixed = listeners.map(({ connectionsMax = 0 }) => connectionsMax);
  const left = openFilesMax - OTHER_FILES - fixed.reduce((sum, each) => sum + each, 0);
  const open = listeners.filter(({ connectionsMax }) => connectionsMax === undefined).length;
  const share = Math.min(CONNECTIONS_DEFAULT, Math.floor(left / Math.max(1, open)));
  if (left < open) {
    const wanted = openFilesMax - left + open;
    const problem = `want ${wanted} open files, but the system allows ${openFilesMax}`;
    const fix = 'raise the limit (ulimit -n, LimitNOFILE), or lower their connectionsMax';
    throw new ConfigError([{ field: 'listeners', problem, fix }]);
  }
  return listeners.map((settings) => ({
    settings,
    connectionsMax: settings.connectionsMax ?? share,
  }));
}

/** How many files this process may have open; without bound where the system does not tell. */
export function openFilesMax(): number {
  const report = Object.assign(process.report, { excludeNetwork: true }).getReport() as {
    readonly userLimits?: { readonly open_files?: { readonly soft?: unknown } };
  };
  const limit = Number(report.userLimits?.open_files?.soft);
  return Number.isSafeInteger(limit) ? limit : Infinity;
}
