import { listOption, numberOption, textOption } from '../arguments.ts';
import type { Command, Invocation } from '../command.ts';
import { lineOf, COUNT_OPTION, follow } from '../streams.ts';
import { present } from './present.ts';

/** What goes on in the cluster, and what is wrong with it. */
export const INSIGHT_COMMANDS: readonly Command[] = [
  {
    words: 'stats',
    operation: 'GET /api/v1/stats',
    examples: ['skein stats', 'skein stats --json | jq .cluster'],
  },
  {
    words: 'stats history',
    operation: 'GET /api/v1/stats/history',
    examples: ['skein stats history --window 15m --json'],
  },
  {
    words: 'stats follow',
    operation: 'GET /api/v1/stats/stream',
    summary: 'Follow the figures of the cluster',
    options: {
      interval: { type: 'string', value: 'SECONDS', description: 'How often; 5 without it.' },
      ...COUNT_OPTION,
    },
    run: followStats,
    examples: ['skein stats follow --interval 2', 'skein stats follow --count 1 --json'],
  },
  {
    words: 'alarms list',
    operation: 'GET /api/v1/alarms',
    examples: ['skein alarms', 'skein alarms --state history'],
  },
  {
    words: 'alarms show',
    operation: 'GET /api/v1/alarms/{}',
    examples: ['skein alarms show 0191d2c0-6b3e-7c4a-9f54-2f5f3a1f7e10'],
  },
  {
    words: 'alarms acknowledge',
    operation: 'POST /api/v1/alarms/{}/acknowledgements',
    options: {
      comment: { type: 'string', value: 'TEXT', description: 'What others should know of it.' },
    },
    body: ({ options }) => present({ comment: textOption(options, 'comment') }),
    examples: [
      'skein alarms acknowledge 0191d2c0-6b3e-7c4a-9f54-2f5f3a1f7e10 --comment "the team is on it"',
    ],
  },
  {
    words: 'alarms remove',
    operation: 'DELETE /api/v1/alarms/{}',
    done: 'removed',
    examples: ['skein alarms remove 0191d2c0-6b3e-7c4a-9f54-2f5f3a1f7e10'],
  },
  {
    words: 'diagnostics',
    operation: 'POST /api/v1/diagnostics',
    options: {
      node: {
        type: 'string',
        multiple: true,
        value: 'ID',
        description: 'Of this node, and no other; may be repeated.',
      },
      'heap-snapshot': {
        type: 'boolean',
        description: 'Has the nodes write what is in their memory to their own disks, too.',
      },
    },
    body: ({ options }) =>
      present({
        nodes: listOption(options, 'node'),
        heap_snapshot: options['heap-snapshot'] === true ? true : undefined,
      }),
    examples: ['skein diagnostics --json > diagnostics.json', 'skein diagnostics --node node-1'],
  },
  {
    words: 'topics list',
    operation: 'GET /api/v1/topics',
    examples: ['skein topics', 'skein topics --prefix devices'],
  },
  {
    words: 'topic-metrics list',
    operation: 'GET /api/v1/topic-metrics',
    columns: ['id', 'filter', 'created_at', 'received', 'sent'],
    examples: ['skein topic-metrics'],
  },
  {
    words: 'topic-metrics show',
    operation: 'GET /api/v1/topic-metrics/{}',
    examples: ['skein topic-metrics show 3fdba35f04dc8c462986c992bcf87554'],
  },
  {
    words: 'topic-metrics add',
    operation: 'POST /api/v1/topic-metrics',
    positionals: ['filter'],
    body: ({ values }) => ({ filter: values['filter'] }),
    examples: ["skein topic-metrics add 'devices/+/state'"],
  },
  {
    words: 'topic-metrics remove',
    operation: 'DELETE /api/v1/topic-metrics/{}',
    done: 'removed',
    examples: ['skein topic-metrics remove 3fdba35f04dc8c462986c992bcf87554'],
  },
  {
    words: 'shared-groups list',
    operation: 'GET /api/v1/shared-groups',
    columns: ['group', 'strategy', 'members', 'connected_members', 'lag_messages'],
    examples: ['skein shared-groups'],
  },
  {
    words: 'shared-groups show',
    operation: 'GET /api/v1/shared-groups/{}',
    examples: ['skein shared-groups show workers'],
  },
];

function followStats(invocation: Invocation): Promise<void> {
  return follow(invocation, {
    operation: 'GET /api/v1/stats/stream',
    call: { query: { interval_seconds: numberOption(invocation.options, 'interval') } },
    line: (_, { time, cluster }) => lineOf({ time, ...(cluster as object) }, ['time']),
  });
}
