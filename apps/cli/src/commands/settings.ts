import { parse } from 'yaml';
import { numberOption, textOption } from '../arguments.ts';
import { operationAt, type Command, type Invocation } from '../command.ts';
import { UsageError } from '../exit-code.ts';
import { details, isRow, table, type Row } from '../format.ts';
import { FILE_OPTION, bodyOfFile } from './file-body.ts';
import { secondsOf } from './length-of-time.ts';
import { present } from './present.ts';

const COLUMNS = ['key', 'value', 'default', 'source', 'change', 'unit'];

/** What the cluster goes by, and what nodes log. */
export const SETTING_COMMANDS: readonly Command[] = [
  {
    words: 'config list',
    operation: 'GET /api/v1/config',
    summary: 'Show the configuration: what is in force, and where it comes from',
    positionals: [],
    options: {
      section: { type: 'string', value: 'NAME', description: 'Only this one, such as limits.' },
      changed: { type: 'boolean', description: 'Only what is not the default.' },
    },
    run: showConfig,
    examples: ['skein config --changed', 'skein config list --section limits'],
  },
  {
    words: 'config get',
    operation: 'GET /api/v1/config',
    summary: 'Show one key of the configuration',
    positionals: ['key'],
    run: showKey,
    examples: ['skein config get limits.inflightMax'],
  },
  {
    words: 'config set',
    operation: 'PATCH /api/v1/config',
    summary: 'Set one key of the configuration, at all nodes',
    positionals: ['key', 'value'],
    body: ({ values }) => nested(values['key'] ?? '', valueOf(values['value'] ?? '')),
    examples: [
      'skein config set limits.inflightMax 64',
      'skein config set listeners.tcp.enabled true',
    ],
  },
  {
    words: 'config unset',
    operation: 'PATCH /api/v1/config',
    summary: 'Take back what was set of a key',
    positionals: ['key'],
    body: ({ values }) => nested(values['key'] ?? '', null),
    examples: ['skein config unset limits.inflightMax'],
  },
  {
    words: 'cluster show',
    operation: 'GET /api/v1/cluster',
    examples: ['skein cluster show --json'],
  },
  {
    words: 'cluster set',
    operation: 'PATCH /api/v1/cluster',
    summary: 'Set one key of the cluster, or with --dry-run say what nodes would make of it',
    positionals: ['key', 'value'],
    body: ({ values }) => ({
      settings: nested(values['key'] ?? '', valueOf(values['value'] ?? '')),
    }),
    examples: ['skein cluster set limits.inflightMax 64 --dry-run'],
  },
  {
    words: 'config check',
    operation: 'POST /api/v1/config/validations',
    options: FILE_OPTION,
    body: async (invocation) => ({ settings: await bodyOfFile(invocation) }),
    examples: ['skein config check --file skein.yaml'],
  },
  {
    words: 'config history',
    operation: 'GET /api/v1/config/history',
    columns: ['version', 'at', 'by', 'kind', 'changes'],
    examples: ['skein config history --limit 10'],
  },
  {
    words: 'config rollback',
    operation: 'POST /api/v1/config/rollbacks',
    positionals: ['version'],
    body: ({ values }) => ({ version: numberOption(values, 'version') }),
    examples: ['skein config rollback 3', 'skein config rollback 0'],
  },
  {
    words: 'logs level',
    operation: 'GET /api/v1/logs/level',
    examples: ['skein logs level'],
  },
  {
    words: 'logs set-level',
    operation: 'PUT /api/v1/logs/level',
    positionals: ['level'],
    options: {
      node: { type: 'string', value: 'ID', description: 'Only on this node.' },
      component: { type: 'string', value: 'NAME', description: 'Only of this component.' },
      for: { type: 'string', value: '10m', description: 'How long; what was before counts then.' },
    },
    body: ({ values, options }) => ({
      level: values['level'] === 'default' ? null : values['level'],
      ...present({
        node: textOption(options, 'node'),
        component: textOption(options, 'component'),
        ttl_seconds: secondsOf(textOption(options, 'for')),
      }),
    }),
    examples: [
      'skein logs set-level debug --component bridge --node node-1 --for 10m',
      'skein logs set-level default',
    ],
  },
];

async function configOf({ api }: Invocation, section: string | undefined): Promise<Row> {
  const place = section === undefined ? 'GET /api/v1/config' : 'GET /api/v1/config/{}';
  const id = operationAt(place);
  if (id === undefined) throw new UsageError('this version of the API has no configuration');
  const path = section === undefined ? {} : { section };
  const { body } = await api.call(id, { path });
  return isRow(body) ? body : {};
}

const settingsOf = ({ settings }: Row): readonly Row[] =>
  Array.isArray(settings) ? settings.filter(isRow) : [];

async function showConfig(invocation: Invocation): Promise<void> {
  const { options, terminal, json } = invocation;
  const config = await configOf(invocation, textOption(options, 'section'));
  const isChanged = ({ source }: Row): boolean => source !== 'default';
  const all = settingsOf(config);
  const settings = options['changed'] === true ? all.filter(isChanged) : all;
  if (json) terminal.print(JSON.stringify({ ...config, settings }));
  else if (settings.length === 0) terminal.note('none');
  else terminal.print(table(settings, COLUMNS));
}

async function showKey(invocation: Invocation): Promise<void> {
  const { values, terminal, json } = invocation;
  const key = values['key'] ?? '';
  const setting = settingsOf(await configOf(invocation, undefined)).find(
    (each) => each['key'] === key,
  );
  if (setting === undefined) throw new UsageError(`there is no key '${key}': skein config`);
  terminal.print(json ? JSON.stringify(setting) : details(setting));
}

/** A value as the configuration file has it. */
function valueOf(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return text;
  }
}

/** A merge patch of one key. @throws UsageError for what is no key. */
function nested(key: string, value: unknown): unknown {
  const names = key.split('.');
  if (names.length < 2 || names.includes('')) {
    throw new UsageError(`'${key}' is no key: write it like limits.inflightMax`);
  }
  return names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
}
