import type { z } from 'zod';
import type { ConfigFault } from './config-error.ts';
import type { schema } from './schema.ts';

type Auth = z.output<typeof schema>['auth'];

const SALT_FIX =
  'set auth.saltSecretFile or SKEIN_AUTH_SALT_SECRET: random characters, the same on all nodes';

/** Finds what is wrong between the settings of who may connect. */
export function authFaults({ chain, users, saltSecret }: Auth): ConfigFault[] {
  const faults: ConfigFault[] = [];
  if (saltSecret === undefined && users.some(({ scram }) => scram)) {
    faults.push({
      field: 'auth.saltSecret',
      problem: 'is required by users with scram: their salts stay, so those of others must as well',
      fix: SALT_FIX,
    });
  }
  if (chain === undefined) return faults;
  const storedCount = chain.filter(({ kind }) => kind === 'stored').length;
  if (storedCount > 1) {
    faults.push({
      field: 'auth.chain',
      problem: 'asks the stored users more than once',
      fix: 'name `kind: stored` once',
    });
  }
  if (storedCount > 0 && saltSecret === undefined) {
    faults.push({
      field: 'auth.saltSecret',
      problem: 'is required by stored users: their salts stay, so those of others must as well',
      fix: SALT_FIX,
    });
  }
  const count = chain.filter(({ kind }) => kind === 'users').length;
  if (count > 1) {
    faults.push({
      field: 'auth.chain',
      problem: 'asks the users more than once',
      fix: 'name `kind: users` once',
    });
  }
  if (count > 0 !== users.length > 0) {
    const [problem, fix] =
      count > 0
        ? ['asks users, and there are none', 'add users to auth.users, or remove `kind: users`']
        : ['does not ask the users of auth.users', 'add `kind: users`, or remove auth.users'];
    faults.push({ field: 'auth.chain', problem, fix });
  }
  return faults;
}
