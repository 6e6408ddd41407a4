import { randomBytes } from 'node:crypto';
import {
  AuthChain,
  PasswordCheck,
  UserSource,
  type Authenticator,
  type AuthSource,
} from '#libs/access';
import { ConfiguredUsers, NodeScramCrypto } from '#libs/access-sources';
import { ConfigError, type Config } from '#libs/config';

/**
 * Asks the sources of the configuration; undefined when it names none, and everybody may connect.
 *
 * @throws ConfigError naming every user that something is wrong with.
 */
export async function openAuthenticator({ auth }: Config): Promise<Authenticator | undefined> {
  const chain = auth.chain ?? (auth.users.length > 0 ? [{ kind: 'users' }] : []);
  if (chain.length === 0) return undefined;
  const saltSecret = auth.saltSecret ?? randomBytes(32).toString('base64');
  const { iterations } = auth;
  const opened = await ConfiguredUsers.open(auth.users, { iterations, saltSecret });
  if (opened.kind === 'faulty') {
    throw new ConfigError(
      opened.faults.map((fault) => ({ ...fault, field: `auth.users${fault.field}` })),
    );
  }
  const passwords = new PasswordCheck({ crypto: new NodeScramCrypto(), saltSecret, iterations });
  const sources = chain.map((): AuthSource => new UserSource(opened.users, passwords));
  return new AuthChain({ sources, passwords, anonymous: auth.anonymous });
}
