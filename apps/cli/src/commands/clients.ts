import { numberOption, textOption } from '../arguments.ts';
import { queryOptions, type Command, type OptionSpec, type Options } from '../command.ts';
import { UsageError } from '../exit-code.ts';
import { secondsOf } from './length-of-time.ts';
import { present } from './present.ts';

const BULK_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  rate: { type: 'string', value: 'N', description: 'At most so many a second.' },
  'dry-run': { type: 'boolean', description: 'Changes nothing, and names those that it would.' },
};

const QOS: OptionSpec = {
  type: 'string',
  short: 'q',
  value: 'N',
  choices: ['0', '1', '2'],
  description: '0 unless said otherwise.',
};

/** The conditions of a list, by the names of its options. */
function conditionsOf(list: 'clients' | 'sessions') {
  const command = { words: list, operation: `GET /api/v1/${list}`, examples: [] };
  return [...queryOptions(command)].filter(([name]) => name !== 'sort');
}

function filtersOf(list: 'clients' | 'sessions'): Readonly<Record<string, OptionSpec>> {
  return Object.fromEntries(conditionsOf(list).map(([name, { spec }]) => [name, spec]));
}

/** Work on all that meet the conditions given. @throws UsageError without any: all of them are hardly ever meant. */
function workOf(list: 'clients' | 'sessions', options: Options) {
  const filter = Object.fromEntries(
    conditionsOf(list).flatMap(([name, { parameter }]) =>
      options[name] === undefined ? [] : [[parameter, String(options[name])]],
    ),
  );
  if (Object.keys(filter).length === 0) {
    throw new UsageError(`give a condition, such as --client-id-like; see skein ${list} --help`);
  }
  return { filter, per_second: numberOption(options, 'rate'), dry_run: options['dry-run'] };
}

/** Clients, sessions and subscriptions. */
export const CLIENT_COMMANDS: readonly Command[] = [
  {
    words: 'clients list',
    operation: 'GET /api/v1/clients',
    columns: [
      'client_id',
      'username',
      'state',
      'node',
      'remote_address',
      'mqtt_version',
      'subscription_count',
      'queue_messages',
      'connected_at',
    ],
    examples: [
      'skein clients --state connected',
      'skein clients --client-id-like press/ --all --json',
    ],
  },
  {
    words: 'clients show',
    operation: 'GET /api/v1/clients/{}',
    examples: ['skein clients show press/7'],
  },
  {
    words: 'clients disconnect',
    operation: 'DELETE /api/v1/clients/{}',
    done: 'disconnected',
    examples: [
      'skein clients disconnect press/7',
      'skein clients disconnect press/7 --clear-session',
    ],
  },
  {
    words: 'clients disconnect-all',
    operation: 'POST /api/v1/client-disconnects',
    summary: 'Disconnect every client that meets conditions',
    options: {
      ...filtersOf('clients'),
      ...BULK_OPTIONS,
      'ban-for': { type: 'string', value: '10m', description: 'They may not come back so long.' },
      'clear-session': { type: 'boolean', description: 'Ends their sessions, too.' },
    },
    body: ({ options }) =>
      present({
        ...workOf('clients', options),
        ban_for_seconds: secondsOf(textOption(options, 'ban-for')),
        clear_session: options['clear-session'],
      }),
    examples: [
      'skein clients disconnect-all --client-id-like press/ --dry-run',
      'skein clients disconnect-all --username sensor-7 --rate 100 --ban-for 10m',
    ],
  },
  {
    words: 'clients subscriptions',
    operation: 'GET /api/v1/clients/{}/subscriptions',
    columns: ['filter', 'qos', 'no_local', 'retain_as_published', 'retain_handling'],
    examples: ['skein clients subscriptions press/7'],
  },
  {
    words: 'clients queue',
    operation: 'GET /api/v1/clients/{}/queued-messages',
    examples: ['skein clients queue press/7'],
  },
  {
    words: 'clients empty-queue',
    operation: 'DELETE /api/v1/clients/{}/queued-messages',
    done: 'emptied',
    examples: ['skein clients empty-queue press/7'],
  },
  {
    words: 'clients inflight',
    operation: 'GET /api/v1/clients/{}/inflight-messages',
    columns: ['packet_id', 'awaits', 'qos', 'topic', 'payload_bytes'],
    examples: ['skein clients inflight press/7'],
  },
  {
    words: 'clients subscribe',
    operation: 'POST /api/v1/clients/{}/subscriptions',
    positionals: ['client_id', 'filter'],
    options: { qos: QOS },
    body: ({ values, options }) => ({
      filter: values['filter'],
      qos: numberOption(options, 'qos') ?? 0,
    }),
    examples: ["skein clients subscribe press/7 'commands/press/7/#' --qos 1"],
  },
  {
    words: 'clients unsubscribe',
    operation: 'DELETE /api/v1/clients/{}/subscriptions',
    positionals: ['client_id', 'filter'],
    done: 'ended',
    examples: ["skein clients unsubscribe press/7 'commands/press/7/#'"],
  },
  {
    words: 'clients check',
    operation: 'POST /api/v1/clients/{}/authorization-checks',
    positionals: ['client_id', 'action', 'topic'],
    options: { qos: QOS, retain: { type: 'boolean', description: 'Of the message.' } },
    body: ({ values, options }) =>
      present({
        ...{ action: values['action'], topic: values['topic'] },
        qos: numberOption(options, 'qos'),
        retain: options['retain'],
      }),
    examples: ['skein clients check press/7 publish devices/press/7/heat --qos 1'],
  },
  {
    words: 'clients verdicts',
    operation: 'GET /api/v1/clients/{}/authorization-cache',
    examples: ['skein clients verdicts press/7'],
  },
  {
    words: 'clients forget-verdicts',
    operation: 'DELETE /api/v1/clients/{}/authorization-cache',
    done: 'forgotten',
    examples: ['skein clients forget-verdicts press/7'],
  },
  {
    words: 'sessions list',
    operation: 'GET /api/v1/sessions',
    columns: ['client_id', 'state', 'node', 'queue_messages', 'queue_bytes', 'expires_at'],
    examples: ['skein sessions --state disconnected'],
  },
  {
    words: 'sessions show',
    operation: 'GET /api/v1/sessions/{}',
    examples: ['skein sessions show press/7'],
  },
  {
    words: 'sessions end',
    operation: 'DELETE /api/v1/sessions/{}',
    done: 'ended',
    examples: ['skein sessions end press/7'],
  },
  {
    words: 'sessions keep',
    operation: 'PATCH /api/v1/sessions/{}',
    summary: 'Say how long a session outlives its connection',
    positionals: ['client_id', 'length'],
    body: ({ values }) => ({
      expiry_seconds: values['length'] === 'forever' ? null : secondsOf(values['length'], 'length'),
    }),
    examples: ['skein sessions keep press/7 2h', 'skein sessions keep press/7 forever'],
  },
  {
    words: 'sessions purge',
    operation: 'POST /api/v1/session-purges',
    summary: 'End every session that meets conditions',
    options: { ...filtersOf('sessions'), ...BULK_OPTIONS },
    body: ({ options }) => present(workOf('sessions', options)),
    examples: [
      'skein sessions purge --state disconnected --queue-size-gte 1000 --dry-run',
      'skein sessions purge --client-id-like test/',
    ],
  },
  {
    words: 'subscriptions list',
    operation: 'GET /api/v1/subscriptions',
    columns: ['client_id', 'filter', 'qos', 'node'],
    examples: ['skein subscriptions --match-topic devices/7/telemetry'],
  },
];
