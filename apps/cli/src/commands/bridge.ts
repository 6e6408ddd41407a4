import { textOption } from '../arguments.ts';
import type { Command, Invocation } from '../command.ts';
import { UsageError } from '../exit-code.ts';
import { FILE_OPTION, bodyOfFile } from './file-body.ts';
import { orderOf } from './order.ts';

/** Bridges and their rules. */
export const BRIDGE_COMMANDS: readonly Command[] = [
  {
    words: 'bridges list',
    operation: 'GET /api/v1/bridges',
    columns: ['id', 'kind', 'source', 'enabled', 'states'],
    examples: ['skein bridges'],
  },
  {
    words: 'bridges show',
    operation: 'GET /api/v1/bridges/{}',
    examples: ['skein bridges show main'],
  },
  {
    words: 'bridges add',
    operation: 'POST /api/v1/bridges',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein bridges add --file shop.yaml'],
  },
  {
    words: 'bridges replace',
    operation: 'PUT /api/v1/bridges/{}',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein bridges replace shop --file shop.yaml'],
  },
  {
    words: 'bridges change',
    operation: 'PATCH /api/v1/bridges/{}',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['echo "enabled: false" | skein bridges change shop --file -'],
  },
  {
    words: 'bridges remove',
    operation: 'DELETE /api/v1/bridges/{}',
    done: 'removed',
    examples: ['skein bridges remove shop'],
  },
  {
    words: 'bridges test',
    operation: 'POST /api/v1/bridges/{}/connectivity-tests',
    options: {
      target: {
        type: 'string',
        value: 'NAME',
        description: 'A Kafka topic, a path or an exchange that should be there.',
      },
    },
    body: ({ options }) => {
      const target = textOption(options, 'target');
      return target === undefined ? {} : { target };
    },
    examples: ['skein bridges test main --target telemetry'],
  },
  {
    words: 'bridges try',
    operation: 'POST /api/v1/bridges/connectivity-tests',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein bridges try --file shop.yaml'],
  },
  {
    words: 'bridges reset-metrics',
    operation: 'POST /api/v1/bridges/{}/metrics/reset',
    done: 'reset',
    examples: ['skein bridges reset-metrics main'],
  },
  ...(['start', 'stop', 'restart'] as const).map((action) => ({
    words: `bridges ${action}`,
    operation: `POST /api/v1/bridges/{}/${action}`,
    examples: [`skein bridges ${action} main`],
  })),
  {
    words: 'bridges status',
    operation: 'GET /api/v1/bridges/{}/status',
    examples: ['skein bridges status main'],
  },
  {
    words: 'bridges metrics',
    operation: 'GET /api/v1/bridges/{}/metrics',
    examples: ['skein bridges metrics main'],
  },
  {
    words: 'rules list',
    operation: 'GET /api/v1/bridge-rules',
    columns: [
      'id',
      'enabled',
      'bridge',
      'direction',
      'filter',
      'topic',
      'mqtt_topic',
      'ack',
      'source',
    ],
    examples: ['skein rules', 'skein rules --all --json > rules.json'],
  },
  {
    words: 'rules show',
    operation: 'GET /api/v1/bridge-rules/{}',
    examples: ['skein rules show telemetry'],
  },
  {
    words: 'rules add',
    operation: 'POST /api/v1/bridge-rules',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein rules add --file telemetry.yaml'],
  },
  {
    words: 'rules replace',
    operation: 'PUT /api/v1/bridge-rules/{}',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein rules replace telemetry --file telemetry.yaml'],
  },
  {
    words: 'rules order',
    operation: 'PUT /api/v1/bridge-rules/order',
    positionals: ['ids'],
    body: orderOf,
    examples: ['skein rules order telemetry,commands'],
  },
  {
    words: 'rules try',
    operation: 'POST /api/v1/bridge-rules/tests',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein rules try --file rule-and-sample.yaml'],
  },
  {
    words: 'rules pause',
    summary: 'Pause a bridge rule',
    operation: 'PATCH /api/v1/bridge-rules/{}',
    body: () => ({ enabled: false }),
    examples: ['skein rules pause telemetry'],
  },
  {
    words: 'rules resume',
    summary: 'Resume a bridge rule',
    operation: 'PATCH /api/v1/bridge-rules/{}',
    body: () => ({ enabled: true }),
    examples: ['skein rules resume telemetry'],
  },
  {
    words: 'rules remove',
    operation: 'DELETE /api/v1/bridge-rules/{}',
    done: 'removed',
    examples: ['skein rules remove telemetry'],
  },
  {
    words: 'rules test',
    operation: 'POST /api/v1/bridge-rules/{}/tests',
    positionals: ['rule_id', '[topic]', '[payload]'],
    options: {
      ...FILE_OPTION,
      'client-id': { type: 'string', value: 'ID', description: 'Who publishes the message.' },
    },
    body: sampleOf,
    examples: [
      'skein rules test telemetry devices/7/telemetry \'{"t":31}\'',
      'skein rules test commands --file record.yaml',
    ],
  },
  {
    words: 'rules metrics',
    operation: 'GET /api/v1/bridge-rules/{}/metrics',
    examples: ['skein rules metrics telemetry'],
  },
  {
    words: 'dead-letters list',
    operation: 'GET /api/v1/dead-letters',
    columns: ['id', 'at', 'bridge', 'rule', 'stage', 'reason', 'error'],
    examples: ['skein dead-letters --rule telemetry'],
  },
  {
    words: 'dead-letters clear',
    operation: 'DELETE /api/v1/dead-letters',
    examples: ['skein dead-letters clear --rule telemetry --dry-run'],
  },
  {
    words: 'dead-letters replay',
    operation: 'POST /api/v1/dead-letters/replays',
    positionals: ['id'],
    body: ({ values }) => ({ ids: [values['id']] }),
    examples: ['skein dead-letters replay 1767225600000-0'],
  },
];

/** A message of the words, or a whole sample of the file. */
function sampleOf(invocation: Invocation): unknown {
  const { values, options } = invocation;
  const { topic, payload } = values;
  if (textOption(options, 'file') !== undefined) return bodyOfFile(invocation);
  if (topic === undefined)
    throw new UsageError('give a topic and a payload, or a sample with --file');
  const clientId = textOption(options, 'client-id');
  return {
    message: {
      topic,
      ...(payload === undefined ? {} : { payload }),
      ...(clientId === undefined ? {} : { client_id: clientId }),
    },
  };
}
