import { listOption, textOption } from '../arguments.ts';
import type { Command, Invocation, OptionSpec } from '../command.ts';
import { UsageError } from '../exit-code.ts';
import { secretOf } from '../profile.ts';
import { FILE_OPTION, bodyOfFile } from './file-body.ts';
import { orderOf } from './order.ts';
import { untilOf } from './length-of-time.ts';

const PASSWORD_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  'password-file': {
    type: 'string',
    value: 'FILE',
    description: 'The password is the first line of it; without it you are asked.',
  },
};

const GROUPS: OptionSpec = {
  type: 'string',
  multiple: true,
  value: 'A,B',
  description: 'Groups, for rules that name them.',
};

/** Users, rules and bans. */
export const ACCESS_COMMANDS: readonly Command[] = [
  {
    words: 'users list',
    operation: 'GET /api/v1/users',
    columns: ['name', 'groups', 'scram', 'password_set_at'],
    examples: ['skein users'],
  },
  {
    words: 'users show',
    operation: 'GET /api/v1/users/{}',
    examples: ['skein users show sensor-7'],
  },
  {
    words: 'users add',
    operation: 'POST /api/v1/users',
    positionals: ['name'],
    options: {
      ...PASSWORD_OPTIONS,
      group: GROUPS,
      publish: topics('May publish to'),
      subscribe: topics('May subscribe to'),
    },
    body: async (invocation) => ({
      name: invocation.values['name'],
      password: await passwordOf(invocation),
      groups: listOption(invocation.options, 'group') ?? [],
      acl: rulesOf(invocation),
    }),
    examples: [
      "skein users add sensor-7 --password-file sensor-7.password --publish 'devices/${username}/#'",
      'skein users add dashboard --group staff',
    ],
  },
  {
    words: 'users set-password',
    operation: 'PATCH /api/v1/users/{}',
    options: PASSWORD_OPTIONS,
    body: async (invocation) => ({ password: await passwordOf(invocation) }),
    examples: ['skein users set-password sensor-7'],
  },
  {
    words: 'users change',
    operation: 'PATCH /api/v1/users/{}',
    summary: 'Change groups and rules of a user',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['echo "groups: [staff]" | skein users change sensor-7 --file -'],
  },
  {
    words: 'users import',
    operation: 'POST /api/v1/users/imports',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: [
      'skein users import --file users.yaml --dry-run',
      'skein users import --file users.yaml --existing update',
    ],
  },
  {
    words: 'users export',
    operation: 'POST /api/v1/users/exports',
    options: {
      format: {
        type: 'string',
        value: 'FORMAT',
        choices: ['json', 'csv', 'htpasswd'],
        description: 'How they are written; json without it.',
      },
      'username-like': {
        type: 'string',
        value: 'TEXT',
        description: 'Only those whose names begin with this.',
      },
      group: { type: 'string', value: 'NAME', description: 'Only those in this group.' },
    },
    body: exportOf,
    examples: ['skein users export --json > users.json', 'skein users export --format csv'],
  },
  {
    words: 'users remove',
    operation: 'DELETE /api/v1/users/{}',
    done: 'removed',
    examples: ['skein users remove sensor-7'],
  },
  {
    words: 'acl list',
    operation: 'GET /api/v1/acl-rules',
    columns: ['id', 'effect', 'who', 'actions', 'topics'],
    examples: ['skein acl', 'skein acl list --principal group'],
  },
  {
    words: 'acl show',
    operation: 'GET /api/v1/acl-rules/{}',
    examples: ['skein acl show own-topics'],
  },
  {
    words: 'acl add',
    operation: 'POST /api/v1/acl-rules',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein acl add --file rule.yaml'],
  },
  {
    words: 'acl replace',
    operation: 'PUT /api/v1/acl-rules/{}',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein acl replace own-topics --file rule.yaml'],
  },
  {
    words: 'acl remove',
    operation: 'DELETE /api/v1/acl-rules/{}',
    done: 'removed',
    examples: ['skein acl remove own-topics'],
  },
  {
    words: 'acl order',
    operation: 'PUT /api/v1/acl-rules/order',
    positionals: ['ids'],
    body: orderOf,
    examples: ['skein acl order own-topics,staff,secrets'],
  },
  {
    words: 'acl simulate',
    operation: 'POST /api/v1/acl-simulations',
    positionals: ['client_id', 'action', 'topic'],
    options: {
      username: {
        type: 'string',
        short: 'u',
        value: 'NAME',
        description: 'The user that the client is.',
      },
      group: GROUPS,
      address: { type: 'string', value: 'IP', description: 'Where the client connects from.' },
      qos: {
        type: 'string',
        short: 'q',
        value: 'N',
        choices: ['0', '1', '2'],
        description: 'Of the message or the subscription.',
      },
      retain: { type: 'boolean', description: 'Of the message.' },
    },
    body: simulationOf,
    columns: ['allowed', 'rule', 'except'],
    examples: ['skein acl simulate press-7 publish devices/press-7/heat --username sensor-7'],
  },
  {
    words: 'bans list',
    operation: 'GET /api/v1/bans',
    columns: ['id', 'kind', 'value', 'reason', 'by', 'until', 'created_at'],
    examples: ['skein bans'],
  },
  {
    words: 'bans show',
    operation: 'GET /api/v1/bans/{}',
    examples: ['skein bans show address:192.0.2.0/24'],
  },
  {
    words: 'bans add',
    operation: 'POST /api/v1/bans',
    positionals: ['kind', 'value'],
    options: {
      reason: { type: 'string', value: 'TEXT', description: 'Shown to whoever looks at the ban.' },
      for: {
        type: 'string',
        value: '10m',
        description: 'How long: 30s, 10m, 2h, 7d. Without it, for ever.',
      },
    },
    body: ({ values, options }) => ({
      kind: values['kind'],
      value: values['value'],
      ...given('reason', textOption(options, 'reason')),
      ...given('until', untilOf(textOption(options, 'for'))),
    }),
    examples: [
      'skein bans add client_id press/7 --for 1h --reason "sends nonsense"',
      'skein bans add cidr 192.0.2.0/24',
    ],
  },
  {
    words: 'bans replace',
    operation: 'PUT /api/v1/bans/{}',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein bans replace client_id:press/7 --file ban.yaml'],
  },
  {
    words: 'bans import',
    operation: 'POST /api/v1/bans/imports',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein bans import --file bans.yaml --existing update'],
  },
  {
    words: 'bans automatic',
    operation: 'GET /api/v1/auto-bans/config',
    examples: ['skein bans automatic'],
  },
  {
    words: 'bans set-automatic',
    operation: 'PUT /api/v1/auto-bans/config',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein bans set-automatic --file flapping.yaml'],
  },
  {
    words: 'bans remove',
    operation: 'DELETE /api/v1/bans/{}',
    done: 'lifted',
    examples: ['skein bans remove client:press/7'],
  },
];

function topics(what: string): OptionSpec {
  return {
    type: 'string',
    multiple: true,
    value: 'FILTER',
    description: `${what} these topics; all else that its rules do not name is left to the general ones.`,
  };
}

function rulesOf({ options }: Invocation): readonly unknown[] {
  return (['publish', 'subscribe'] as const).flatMap((action) => {
    const filters = listOption(options, action);
    return filters === undefined ? [] : [{ effect: 'allow', actions: [action], topics: filters }];
  });
}

function exportOf({ options }: Invocation): unknown {
  const begins = textOption(options, 'username-like');
  const group = textOption(options, 'group');
  const filter = {
    ...(begins !== undefined && { username: { like: begins } }),
    ...given('group', group),
  };
  return {
    ...given('format', textOption(options, 'format')),
    ...(Object.keys(filter).length > 0 && { filter }),
  };
}

async function passwordOf({ options, terminal }: Invocation): Promise<string> {
  const file = textOption(options, 'password-file');
  if (file !== undefined) return secretOf(file);
  const password = await terminal.askSecret('password');
  if (password === '') throw new UsageError('the password is empty');
  if ((await terminal.askSecret('once more')) === password) return password;
  throw new UsageError('the passwords differ');
}

function simulationOf({ values, options }: Invocation): unknown {
  const { client_id, action, topic } = values;
  if (!['publish', 'subscribe', 'receive'].includes(action ?? '')) {
    throw new UsageError(`'${action ?? ''}' is none of publish, subscribe, receive`);
  }
  const qos = Number(textOption(options, 'qos') ?? 0);
  return {
    client_id,
    ...given('username', textOption(options, 'username')),
    ...given('groups', listOption(options, 'group')),
    ...given('address', textOption(options, 'address')),
    checks: [
      {
        action,
        qos,
        ...(action === 'subscribe' ? { topic_filter: topic } : { topic }),
        ...(action === 'publish' ? { retain: options['retain'] === true } : {}),
      },
    ],
  };
}

/** A field, if there is a value for it. */
const given = (name: string, value: unknown): Readonly<Record<string, unknown>> =>
  value === undefined ? {} : { [name]: value };
