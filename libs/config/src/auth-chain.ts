import type { ConfigFault } from './config-error.ts';
import { enabledListeners, type Config } from './load.ts';
import { isLoopback } from './loopback.ts';
import { hasRedis } from './redis-target.ts';

/** The sources that are asked who a client is: those of `auth.chain`, or else the users if there are any. */
export function authChain({ auth }: Pick<Config, 'auth'>): NonNullable<Config['auth']['chain']> {
  return auth.chain ?? (auth.users.length > 0 ? [{ kind: 'users' }] : []);
}

/**
 * Why a node may not start that would let in everybody; undefined when it asks somebody, is told to let everybody in, or
 * is the demo: alone, and not to be reached from another machine.
 */
export function opennessFault(config: Config): ConfigFault | undefined {
  if (authChain(config).length > 0 || config.auth.anonymous) return undefined;
  const open = enabledListeners(config).find(({ host }) => !isLoopback(host));
  if (open === undefined && !hasRedis(config.redis)) return undefined;
  const where =
    open === undefined ? 'it is a cluster' : `listeners.${open.name} is at ${open.host}`;
  return {
    field: 'auth',
    problem: `says not who may connect, and ${where}`,
    fix: 'set auth.users or auth.chain, or auth.anonymous: true (SKEIN_AUTH_ANONYMOUS=true) to let everybody in',
  };
}
