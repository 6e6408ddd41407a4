import { AuthChain, PasswordCheck, type AuthDocument, type AuthSource } from '#libs/access';
import { NodeScramCrypto } from '#libs/access-sources';
import { authChain, loadConfig, type Config } from '#libs/config';
import { LocalDefinitionStore } from '#libs/store-local';
import { silentLog } from '#libs/testkit';
import { AuthBackends } from '../../apps/broker/src/auth-backends.ts';
import { AuthSources } from '../../apps/broker/src/auth-sources.ts';

/** Where it is asked, and what was set of it. */
export interface FakeAuthParts {
  /** Those of the name `tls` take certificates. */
  readonly listeners: readonly string[];
  readonly store?: LocalDefinitionStore<AuthDocument>;
}

/** What a node says of who is asked who a client is, with sources of the test's own. */
export function fakeAuth(
  config: Config,
  sources: readonly AuthSource[],
  { listeners, store = new LocalDefinitionStore('settings') }: FakeAuthParts,
): AuthBackends {
  const chain = authChain(config);
  const passwords = new PasswordCheck({
    ...{ crypto: new NodeScramCrypto(), saltSecret: 'x'.repeat(16), iterations: 4_096 },
    hashing: undefined,
  });
  const kinds = new Map<string, number>();
  const configured = chain.flatMap((settings, index) => {
    const count = (kinds.get(settings.kind) ?? 0) + 1;
    kinds.set(settings.kind, count);
    const id = count === 1 ? settings.kind : `${settings.kind}-${String(count)}`;
    const source = sources[index];
    return source === undefined ? [] : [{ id, settings, source }];
  });
  return new AuthBackends(
    new AuthSources({
      ...{ configured, log: silentLog, policy: config.auth.rest },
      listeners: listeners.map((name) => ({ name, takesCertificates: name === 'tls' })),
      anonymous: config.auth.anonymous,
      store,
      chainOf: (all) => new AuthChain({ sources: all, passwords, anonymous: false }),
      open: async ({ kind }) => ({
        backend: kind === 'users' || kind === 'stored' ? 'password' : kind,
        login: async () => ({ kind: 'not-mine' }),
      }),
    }),
    config.auth.anonymous,
  );
}

/** Of a node whose users are stored ones, without anything set over REST. */
export function askingAuth(): AuthBackends {
  const chain = JSON.stringify([{ kind: 'stored' }]);
  const env = { SKEIN_AUTH_CHAIN: chain, SKEIN_AUTH_SALT_SECRET: 'x'.repeat(16) };
  const source: AuthSource = {
    backend: 'password',
    login: async () => ({ kind: 'not-mine' }),
  };
  return fakeAuth(loadConfig({ env }), [source], { listeners: ['tcp', 'tls'] });
}
