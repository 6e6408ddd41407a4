import type { DefinedUser, WireDefinedUser } from '#libs/api-contracts';
import { parsePasswordHash } from '#libs/access';
import { presentRule } from '../access-presenter.ts';
import { ProblemError } from '../http/problem-error.ts';
import { csvLine } from '../http/tables.ts';
import type { OperationKind } from '../operations/operation-kind.ts';
import { patiently } from '../operations/pace.ts';

/** Which users, and how they are written. */
export interface UserExportInput {
  readonly format: 'json' | 'csv' | 'htpasswd';
  readonly namePrefix?: string | undefined;
  readonly group?: string | undefined;
}

const PAGE = 500;
/** What a result may have, with room for what is around it. */
const CHARACTERS_MAX = 12 * 1024 * 1024;
const LEFT_OUT_MAX = 100;
const COLUMNS = ['name', 'credentials', 'groups', 'acl'];

/** Writes stored users down, with hashes and never a password; it is begun anew by whoever takes over. */
export const USER_EXPORTS: OperationKind<UserExportInput> = {
  ...{ kind: 'user-exports', resultScope: 'users:write' },
  run: async ({ format, namePrefix = '', group }, run, { cluster }) => {
    const users: DefinedUser[] = [];
    const lines: string[] = format === 'csv' ? [csvLine(COLUMNS)] : [];
    const leftOut: string[] = [];
    let [count, characters] = [0, 0];
    for (let after: string | undefined, hasMore = true; hasMore;) {
      const from = after;
      const page = await patiently(run, () =>
        cluster.inquire().read({
          ...{ kind: 'users-with-credentials', limit: PAGE },
          ...(from !== undefined && { after: from }),
        }),
      );
      for (const user of page.items.filter((each) => isWanted(each, namePrefix, group))) {
        const line = format === 'json' ? '' : lineOf(user, format);
        if (line === undefined) {
          leftOut.push(user.id);
          continue;
        }
        if (format === 'json') users.push(definedUser(user));
        else lines.push(line);
        count += 1;
        characters += format === 'json' ? JSON.stringify(users.at(-1)).length : line.length;
      }
      if (characters > CHARACTERS_MAX) throw tooMany(count);
      await run.report({ progress: { done: count } });
      after = page.items.at(-1)?.id;
      hasMore = page.hasMore;
    }
    const content = format === 'json' ? { users } : { content: lines.join('') };
    return { format, count, left_out: leftOut.slice(0, LEFT_OUT_MAX), ...content };
  },
};

function isWanted({ id, groups }: WireDefinedUser, prefix: string, group: string | undefined) {
  return id.startsWith(prefix) && (group === undefined || groups.includes(group));
}

function definedUser({ id, credentials, groups, rules }: WireDefinedUser): DefinedUser {
  const acl = rules.map((rule) => presentRule(rule));
  return { name: id, credentials: [...credentials], groups: [...groups], acl };
}

/** Undefined for a name that the format cannot hold. */
function lineOf(user: WireDefinedUser, format: 'csv' | 'htpasswd'): string | undefined {
  const { id, credentials, groups, rules } = user;
  if (format === 'csv') {
    const isPlain = groups.every((group) => group.trim() === group && !/^\[|;/.test(group));
    return csvLine([
      ...[id, credentials.join(' ')],
      isPlain ? groups.join(';') : JSON.stringify(groups),
      rules.length === 0 ? '' : JSON.stringify(definedUser(user).acl),
    ]);
  }
  if (/[:\r\n]|^#/.test(id)) return undefined;
  const hash = credentials.find((text) => parsePasswordHash(text) !== undefined) ?? credentials[0];
  return `${id}:${hash ?? ''}\n`;
}

function tooMany(count: number): ProblemError {
  return new ProblemError(
    'limit-reached',
    `More than ${count} users are too much for one result: export them by parts, with filter`,
  );
}
