import type { AuthSource, SourceVerdict } from './auth-source.ts';
import type { Login } from './identity.ts';
import type { PasswordCheck } from './password-check.ts';
import { saslprep } from './saslprep.ts';
import type { UserDirectory } from './user-directory.ts';

/** Users with passwords as a source of a chain: whom the directory does not know is not its own. */
export class UserSource implements AuthSource {
  readonly backend = 'password';
  readonly directory: UserDirectory;
  readonly #passwords: PasswordCheck;

  constructor(directory: UserDirectory, passwords: PasswordCheck) {
    this.directory = directory;
    this.#passwords = passwords;
  }

  /** Checks the password of a user whom the directory knows. */
  async login({ username, password, address }: Login): Promise<SourceVerdict> {
    const user = username === undefined ? undefined : saslprep(username);
    if (user?.kind !== 'prepared') return { kind: 'not-mine' };
    const known = await this.directory.find(user.text);
    if (known === undefined) return { kind: 'not-mine' };
    const verdict = await this.#passwords.check(known, password, address);
    if (verdict === 'right') return { kind: 'allowed', identity: known.identity };
    if (verdict === 'busy') return { kind: 'busy' };
    return { kind: 'denied', detail: 'user name or password is wrong' };
  }
}
