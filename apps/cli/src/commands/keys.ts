import { listOption, numberOption, textOption } from '../arguments.ts';
import type { Command, Invocation } from '../command.ts';
import { FILE_OPTION, bodyOfFile } from './file-body.ts';
import { untilOf } from './length-of-time.ts';
import { present } from './present.ts';

/** Who may call the API, and what they may do. */
export const KEY_COMMANDS: readonly Command[] = [
  {
    words: 'audit list',
    operation: 'GET /api/v1/audit-records',
    columns: ['time', 'actor', 'action', 'resource', 'outcome', 'status', 'remote_address'],
    examples: ['skein audit', 'skein audit --action deleteUser --outcome done'],
  },
  { words: 'whoami', operation: 'GET /api/v1/whoami', examples: ['skein whoami'] },
  {
    words: 'keys list',
    operation: 'GET /api/v1/api-keys',
    columns: ['id', 'name', 'prefix', 'role', 'scopes', 'expires_at', 'last_used_at'],
    examples: ['skein keys'],
  },
  {
    words: 'keys show',
    operation: 'GET /api/v1/api-keys/{}',
    examples: ['skein keys show 01J8ZQ'],
  },
  {
    words: 'keys add',
    operation: 'POST /api/v1/api-keys',
    positionals: ['name'],
    options: {
      role: { type: 'string', value: 'ROLE', description: 'One of skein roles.' },
      scope: {
        type: 'string',
        multiple: true,
        value: 'A,B',
        description: 'Besides those of the role, such as clients:read.',
      },
      'topic-prefix': {
        type: 'string',
        multiple: true,
        value: 'PREFIX',
        description: 'Only for topics that begin with these levels.',
      },
      cidr: {
        type: 'string',
        multiple: true,
        value: 'NETWORK',
        description: 'Only from these addresses or networks.',
      },
      for: {
        type: 'string',
        value: '30d',
        description: 'How long it is taken: 10m, 2h, 30d. Without it, for ever.',
      },
    },
    body: ({ values, options }) =>
      present({
        name: values['name'],
        role: textOption(options, 'role'),
        scopes: listOption(options, 'scope'),
        topic_prefixes: listOption(options, 'topic-prefix'),
        allowed_cidrs: listOption(options, 'cidr'),
        expires_at: untilOf(textOption(options, 'for')),
      }),
    examples: [
      'skein keys add dashboard --role viewer --for 30d',
      'skein keys add shop --scope messages:publish --topic-prefix shop --cidr 192.0.2.0/24',
    ],
  },
  {
    words: 'keys rotate',
    operation: 'POST /api/v1/api-keys/{}/rotations',
    options: {
      'overlap-seconds': {
        type: 'string',
        value: 'N',
        description: 'For how long the secret before is taken too.',
      },
    },
    body: ({ options }) => present({ overlap_seconds: numberOption(options, 'overlap-seconds') }),
    examples: ['skein keys rotate 01J8ZQ --overlap-seconds 3600'],
  },
  {
    words: 'keys change',
    operation: 'PATCH /api/v1/api-keys/{}',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['echo "role: operator" | skein keys change 01J8ZQ --file -'],
  },
  {
    words: 'keys remove',
    operation: 'DELETE /api/v1/api-keys/{}',
    done: 'removed',
    examples: ['skein keys remove 01J8ZQ'],
  },
  {
    words: 'roles list',
    operation: 'GET /api/v1/roles',
    examples: ['skein roles'],
  },
  {
    words: 'roles show',
    operation: 'GET /api/v1/roles/{}',
    examples: ['skein roles show operator'],
  },
  {
    words: 'roles add',
    operation: 'POST /api/v1/roles',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein roles add --file role.yaml'],
  },
  {
    words: 'roles replace',
    operation: 'PUT /api/v1/roles/{}',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein roles replace night-shift --file role.yaml'],
  },
  {
    words: 'roles remove',
    operation: 'DELETE /api/v1/roles/{}',
    done: 'removed',
    examples: ['skein roles remove night-shift'],
  },
  {
    words: 'role-bindings list',
    operation: 'GET /api/v1/role-bindings',
    examples: ['skein role-bindings', 'skein role-bindings --role operator'],
  },
  {
    words: 'role-bindings show',
    operation: 'GET /api/v1/role-bindings/{}',
    examples: ['skein role-bindings show b7q2m5x4k3n6p2r7'],
  },
  {
    words: 'role-bindings add',
    operation: 'POST /api/v1/role-bindings',
    positionals: ['role', 'kind', 'name'],
    body: bindingOf,
    examples: [
      'skein role-bindings add operator group night-shift',
      'skein role-bindings add viewer api_key 01J8ZQ',
    ],
  },
  {
    words: 'role-bindings replace',
    operation: 'PUT /api/v1/role-bindings/{}',
    positionals: ['binding_id', 'role', 'kind', 'name'],
    body: bindingOf,
    examples: ['skein role-bindings replace b7q2m5x4k3n6p2r7 viewer group night-shift'],
  },
  {
    words: 'role-bindings remove',
    operation: 'DELETE /api/v1/role-bindings/{}',
    done: 'removed',
    examples: ['skein role-bindings remove b7q2m5x4k3n6p2r7'],
  },
];

function bindingOf({ values }: Invocation): unknown {
  return { role: values['role'], subject: { kind: values['kind'], name: values['name'] } };
}
