import { listOption, numberOption, textOption } from '../arguments.ts';
import type { Command, Invocation } from '../command.ts';
import { valueText } from '../format.ts';
import { COUNT_OPTION, follow, lineOf } from '../streams.ts';
import { untilOf } from './length-of-time.ts';
import { present } from './present.ts';

const PAYLOADS = ['none', 'text', 'base64'] as const;

/** What happens, as it happens. */
export const STREAM_COMMANDS: readonly Command[] = [
  {
    words: 'sub',
    operation: 'GET /api/v1/message-streams',
    summary: 'Watch messages as they are published, at all nodes',
    positionals: ['filter'],
    options: {
      payload: {
        type: 'string',
        choices: PAYLOADS,
        description: 'text unless said otherwise; what is no text comes as base64.',
      },
      rate: {
        type: 'string',
        value: 'N',
        description: 'At most so many messages a second and node; 100 unless said otherwise.',
      },
      ...COUNT_OPTION,
    },
    run: sub,
    examples: [
      "skein sub 'devices/#'",
      "skein sub 'devices/+/state' --count 1 --json | jq -r .payload",
    ],
  },
  {
    words: 'events',
    operation: 'GET /api/v1/events',
    summary: 'Follow what happens to clients, sessions, subscriptions, bans and nodes',
    options: {
      type: {
        type: 'string',
        multiple: true,
        value: 'A,B',
        description: 'Of these types only, such as client.connected,client.disconnected.',
      },
      'client-id': { type: 'string', value: 'ID', description: 'Of this client only.' },
      ...COUNT_OPTION,
    },
    run: events,
    examples: [
      'skein events --type client.connected,client.disconnected',
      'skein events --client-id press/7 --json',
    ],
  },
  {
    words: 'trace list',
    operation: 'GET /api/v1/traces',
    columns: ['id', 'state', 'client_id', 'topic', 'ip', 'payload', 'created_by', 'until'],
    examples: ['skein trace list'],
  },
  {
    words: 'trace start',
    operation: 'POST /api/v1/traces',
    options: {
      'client-id': { type: 'string', value: 'ID', description: 'Of this client.' },
      topic: { type: 'string', value: 'FILTER', description: 'What has topics that match.' },
      ip: { type: 'string', value: 'ADDRESS', description: 'Of clients there, or in a network.' },
      payload: {
        type: 'string',
        choices: PAYLOADS,
        description: 'Whether payloads are recorded; none unless said otherwise.',
      },
      for: { type: 'string', value: '10m', description: 'How long: 30s, 10m, 2h, 7d.' },
    },
    body: ({ options }) =>
      present({
        client_id: textOption(options, 'client-id'),
        topic: textOption(options, 'topic'),
        ip: textOption(options, 'ip'),
        payload: textOption(options, 'payload'),
        until: untilOf(textOption(options, 'for')),
      }),
    examples: [
      'skein trace start --client-id press/7 --for 5m',
      "skein trace start --topic 'devices/#' --ip 192.0.2.0/24",
    ],
  },
  {
    words: 'trace show',
    operation: 'GET /api/v1/traces/{}',
    examples: ['skein trace show trace-0c9f2f6a'],
  },
  {
    words: 'trace follow',
    operation: 'GET /api/v1/traces/{}/content',
    summary: 'Show what a trace has recorded and follow it until it is over',
    positionals: ['trace_id'],
    options: COUNT_OPTION,
    run: followTrace,
    examples: ['skein trace follow trace-0c9f2f6a'],
  },
  {
    words: 'trace download',
    operation: 'GET /api/v1/traces/{}/content',
    summary: 'Write what a trace has recorded, one JSON object a line',
    examples: ['skein trace download trace-0c9f2f6a > press-7.ndjson'],
  },
  {
    words: 'trace stop',
    operation: 'POST /api/v1/traces/{}/stop',
    examples: ['skein trace stop trace-0c9f2f6a'],
  },
  {
    words: 'trace remove',
    operation: 'DELETE /api/v1/traces/{}',
    done: 'removed',
    examples: ['skein trace remove trace-0c9f2f6a'],
  },
];

function sub(invocation: Invocation): Promise<void> {
  const { values, options } = invocation;
  return follow(invocation, {
    operation: 'GET /api/v1/message-streams',
    call: {
      query: {
        filter: values['filter'] ?? '',
        payload: textOption(options, 'payload') ?? 'text',
        messages_per_second: numberOption(options, 'rate'),
      },
    },
    line: (_, { topic, payload, ...rest }) => {
      const name = valueText('topic', topic);
      if (payload !== undefined) return `${name} ${valueText('payload', payload)}`;
      return `${name}  ${lineOf(rest, ['received_at', 'node'])}`;
    },
  });
}

function events(invocation: Invocation): Promise<void> {
  const { options } = invocation;
  return follow(invocation, {
    operation: 'GET /api/v1/events',
    call: {
      query: { types: listOption(options, 'type'), client_id: textOption(options, 'client-id') },
    },
    line: (_, item) => lineOf(item, ['time', 'type', 'node', 'client_id']),
  });
}

function followTrace(invocation: Invocation): Promise<void> {
  return follow(invocation, {
    operation: 'GET /api/v1/traces/{}/content',
    call: {
      path: { trace_id: invocation.values['trace_id'] ?? '' },
      headers: { accept: 'text/event-stream' },
    },
    line: (_, item) => lineOf(item, ['time', 'node', 'client_id', 'kind']),
    last: 'end',
  });
}
