import type { AuthSource } from '#libs/access';
import type { Config } from '#libs/config';
import { AuthBackends } from '../../apps/broker/src/auth-backends.ts';

/** What a node says of who is asked who a client is, with sources of the test's own. */
export function fakeAuth(
  config: Config,
  sources: readonly AuthSource[],
  listeners: readonly string[],
): AuthBackends {
  return new AuthBackends(config, sources, listeners);
}
