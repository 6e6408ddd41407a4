import { readFile } from 'node:fs/promises';
import { numberOption, textOption } from '../arguments.ts';
import type { Command, Invocation, OptionSpec } from '../command.ts';
import { LocalError, UsageError } from '../exit-code.ts';
import { FILE_OPTION, bodyOfFile } from './file-body.ts';
import { secondsOf } from './length-of-time.ts';
import { present } from './present.ts';

const MESSAGE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  qos: {
    type: 'string',
    short: 'q',
    value: 'N',
    choices: ['0', '1', '2'],
    description: '0 unless said otherwise.',
  },
  retain: { type: 'boolean', description: 'The message stays for those who subscribe later.' },
  file: {
    type: 'string',
    value: 'FILE',
    description: 'The payload is this file; - is the standard input.',
  },
  'content-type': {
    type: 'string',
    value: 'TYPE',
    description: 'What the payload is, for receivers.',
  },
  'response-topic': { type: 'string', value: 'TOPIC', description: 'Where an answer is wanted.' },
  'correlation-data': { type: 'string', value: 'TEXT', description: 'What an answer repeats.' },
  'expiry-seconds': { type: 'string', value: 'N', description: 'How long the message is of use.' },
  'user-property': {
    type: 'string',
    multiple: true,
    value: 'NAME=VALUE',
    description: 'May be given more than once.',
  },
};

const { retain: _, ...REQUEST_OPTIONS } = MESSAGE_OPTIONS;

/** Publishing, and messages that the cluster keeps. */
export const MESSAGE_COMMANDS: readonly Command[] = [
  {
    words: 'pub',
    operation: 'POST /api/v1/messages',
    positionals: ['topic', '[payload]'],
    options: MESSAGE_OPTIONS,
    body: messageOf,
    examples: [
      'skein pub devices/7/commands reboot --qos 1',
      'echo \'{"on":true}\' | skein pub devices/7/state --file - --retain --content-type application/json',
    ],
  },
  {
    words: 'pub-many',
    operation: 'POST /api/v1/messages/bulk',
    summary: 'Publish messages of a file: a list of what pub takes',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein pub-many --file messages.yaml'],
  },
  {
    words: 'request',
    operation: 'POST /api/v1/message-requests',
    positionals: ['topic', '[payload]'],
    options: {
      ...REQUEST_OPTIONS,
      timeout: {
        type: 'string',
        value: 'SECONDS',
        description: 'How long to wait for the answer.',
      },
    },
    body: requestOf,
    examples: [
      'skein request devices/7/commands state? --timeout 5',
      'skein request devices/7/commands state? --response-topic devices/7/answers --json',
    ],
  },
  {
    words: 'retained list',
    operation: 'GET /api/v1/retained-messages',
    columns: ['topic', 'qos', 'payload_bytes', 'payload', 'publisher', 'received_at', 'expires_at'],
    examples: ["skein retained --filter 'devices/#' --payload text"],
  },
  {
    words: 'retained show',
    operation: 'GET /api/v1/retained-messages/by-topic',
    positionals: ['topic'],
    examples: ['skein retained show devices/7/state --payload text'],
  },
  {
    words: 'retained clear',
    operation: 'DELETE /api/v1/retained-messages',
    positionals: ['[topic]'],
    done: 'cleared',
    examples: [
      'skein retained clear devices/7/state',
      "skein retained clear --filter 'devices/#' --dry-run",
    ],
  },
  {
    words: 'delayed list',
    operation: 'GET /api/v1/delayed-messages',
    examples: ['skein delayed'],
  },
  {
    words: 'delayed show',
    operation: 'GET /api/v1/delayed-messages/{}',
    examples: ['skein delayed show 17'],
  },
  {
    words: 'delayed add',
    operation: 'POST /api/v1/delayed-messages',
    positionals: ['topic', '[payload]'],
    options: {
      in: { type: 'string', value: '10m', description: 'When: 30s, 10m, 2h or 7d from now.' },
      at: { type: 'string', value: 'TIME', description: 'When, as 2026-01-02T04:00:00Z.' },
      ...MESSAGE_OPTIONS,
    },
    body: async (invocation) =>
      present({
        ...(await messageOf(invocation)),
        delay_seconds: secondsOf(textOption(invocation.options, 'in'), '--in'),
        due_at: textOption(invocation.options, 'at'),
      }),
    examples: [
      'skein delayed add devices/7/commands reboot --in 10m --qos 1',
      'skein delayed add devices/7/commands reboot --at 2026-01-02T04:00:00Z',
    ],
  },
  {
    words: 'delayed cancel',
    operation: 'DELETE /api/v1/delayed-messages/{}',
    done: 'cancelled',
    examples: ['skein delayed cancel 17'],
  },
  {
    words: 'scheduled list',
    operation: 'GET /api/v1/scheduled-messages',
    examples: ['skein scheduled'],
  },
  {
    words: 'scheduled show',
    operation: 'GET /api/v1/scheduled-messages/{}',
    examples: ['skein scheduled show nightly'],
  },
  {
    words: 'scheduled add',
    operation: 'POST /api/v1/scheduled-messages',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein scheduled add --file nightly.yaml'],
  },
  {
    words: 'scheduled cancel',
    operation: 'DELETE /api/v1/scheduled-messages/{}',
    done: 'cancelled',
    examples: ['skein scheduled cancel nightly'],
  },
];

/** The message that the options describe. */
async function messageOf(invocation: Invocation): Promise<Readonly<Record<string, unknown>>> {
  const { options, values } = invocation;
  const properties = propertiesOf(invocation);
  return {
    topic: values['topic'],
    ...(await payloadOf(invocation)),
    qos: numberOption(options, 'qos') ?? 0,
    retain: options['retain'] === true,
    ...(Object.keys(properties).length === 0 ? {} : { properties }),
  };
}

/** The request to a device that the options describe. */
async function requestOf(invocation: Invocation): Promise<Readonly<Record<string, unknown>>> {
  const { options, values } = invocation;
  const { response_topic: responseTopic, ...properties } = propertiesOf(invocation);
  const fields = {
    topic: values['topic'],
    ...(await payloadOf(invocation)),
    qos: numberOption(options, 'qos'),
    timeout_seconds: numberOption(options, 'timeout'),
    response_topic: responseTopic,
    properties: Object.keys(properties).length === 0 ? undefined : properties,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

async function payloadOf({ options, values, terminal }: Invocation) {
  const file = textOption(options, 'file');
  const { payload } = values;
  if (file !== undefined && payload !== undefined) {
    throw new UsageError('give the payload either as a word or with --file');
  }
  if (file === undefined) return payload === undefined ? {} : { payload };
  const bytes = file === '-' ? await terminal.readAll() : await contentOf(file);
  return { payload: bytes.toString('base64'), payload_encoding: 'base64' };
}

function contentOf(file: string): Promise<Buffer> {
  return readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw new LocalError(`${file}: cannot be read (${error.code})`);
  });
}

function propertiesOf({ options }: Invocation): Readonly<Record<string, unknown>> {
  const text = (name: string) => textOption(options, name);
  const correlation = text('correlation-data');
  const user = options['user-property'];
  const fields = {
    content_type: text('content-type'),
    response_topic: text('response-topic'),
    correlation_data:
      correlation === undefined ? undefined : Buffer.from(correlation).toString('base64'),
    message_expiry_interval: numberOption(options, 'expiry-seconds'),
    user_properties: Array.isArray(user) ? user.map(userProperty) : undefined,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function userProperty(given: string) {
  const at = given.indexOf('=');
  if (at < 1) throw new UsageError(`--user-property: write it NAME=VALUE, not '${given}'`);
  return { name: given.slice(0, at), value: given.slice(at + 1) };
}
