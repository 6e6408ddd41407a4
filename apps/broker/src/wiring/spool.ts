import { SpoolError, type Log, type Spool } from '#libs/broker-ports';
import { ConfigError, spoolDir, type Config } from '#libs/config';
import { openLocalSpool } from '#libs/spool-local';

/**
 * Opens the spool of the bridge; undefined on a node without one.
 *
 * @throws ConfigError when its directory cannot be used.
 */
export async function openSpool(config: Config, log: Log): Promise<Spool | undefined> {
  const dir = spoolDir(config);
  // Without bridges there are no rules, and a directory that nobody needs is not made.
  if (dir === undefined || config.bridges.length === 0) return undefined;
  const { bytesMax } = config.bridge.spool;
  try {
    const spool = await openLocalSpool({ dir, bytesMax });
    log.info('bridge-spool-opened', { dir, bytes: spool.bytes, rules: spool.rules().length });
    return spool;
  } catch (error) {
    if (!(error instanceof SpoolError)) throw error;
    const problem = error.message.replace(/^bridge\.spool\.dir: /, '');
    const fix = 'name a directory that this process alone may write to';
    throw new ConfigError([{ field: 'bridge.spool.dir', problem, fix }]);
  }
}
