import { saslprep, type Identity, type Login, type SourceVerdict } from '#libs/access';
import { groupsOf, type ParseRules } from '../jwt/jwt-claims.ts';

const NAME_LENGTH_MAX = 256;

/**
 * Reads the answer to a login.
 *
 * @throws Error when it is not as it should be: nobody is let in by half an answer.
 */
export function verdictOfAnswer(
  text: string,
  { username }: Login,
  parseRules: ParseRules,
): SourceVerdict {
  const answer = objectOf(text);
  switch (answer['result']) {
    case 'ignore':
      return { kind: 'not-mine' };
    case 'deny':
      return { kind: 'denied', detail: 'the webhook denies it' };
    case 'allow':
      return { kind: 'allowed', identity: identityOf(answer, username, parseRules) };
    default:
      throw new Error('result is neither allow, deny nor ignore');
  }
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Error('the answer is no JSON');
  }
  if (typeof answer !== 'object' || answer === null) throw new Error('the answer is no object');
  return answer as Readonly<Record<string, unknown>>;
}

function identityOf(
  { user, groups: named, acl = [], expiresAt }: Readonly<Record<string, unknown>>,
  username: string | undefined,
  parseRules: ParseRules,
): Identity {
  const groups = groupsOf(named);
  if (groups === undefined) throw new Error('groups is no list of groups');
  const rules = parseRules(acl);
  if (typeof rules === 'string') throw new Error(`acl ${rules}`);
  if (expiresAt !== undefined && !(typeof expiresAt === 'number' && expiresAt >= 0)) {
    throw new Error('expiresAt is no number of seconds');
  }
  return {
    user: preparedOf(user ?? username),
    groups,
    rules,
    ...(expiresAt !== undefined && { expiresAtMs: expiresAt * 1000 }),
  };
}

function preparedOf(name: unknown): string | undefined {
  if (name === undefined) return undefined;
  const isName = typeof name === 'string' && name.length <= NAME_LENGTH_MAX;
  const prepared = isName ? saslprep(name) : undefined;
  if (prepared?.kind === 'prepared' && prepared.text !== '') return prepared.text;
  throw new Error('user is no user name');
}
