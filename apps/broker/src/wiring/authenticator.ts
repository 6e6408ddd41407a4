import { randomBytes } from 'node:crypto';
import { UserAuthenticator, type Authenticator } from '#libs/access';
import { ConfiguredUsers, NodeScramCrypto } from '#libs/access-sources';
import { ConfigError, type Config } from '#libs/config';

/**
 * Knows the users of the configuration; undefined when it names none, and everybody may connect.
 *
 * @throws ConfigError naming every user that something is wrong with.
 */
export async function openAuthenticator({ auth }: Config): Promise<Authenticator | undefined> {
  if (auth.users.length === 0) return undefined;
  const saltSecret = auth.saltSecret ?? randomBytes(32).toString('base64');
  const { iterations } = auth;
  const opened = await ConfiguredUsers.open(auth.users, { iterations, saltSecret });
  if (opened.kind === 'faulty') {
    throw new ConfigError(
      opened.faults.map((fault) => ({ ...fault, field: `auth.users${fault.field}` })),
    );
  }
  return new UserAuthenticator({
    credentials: opened.users,
    crypto: new NodeScramCrypto(),
    saltSecret,
    iterations,
  });
}
