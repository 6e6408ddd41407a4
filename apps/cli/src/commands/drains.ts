import { numberOption, textOption } from '../arguments.ts';
import type { Command, Invocation } from '../command.ts';

const rate = {
  type: 'string',
  value: 'N',
  description: 'Clients a second; as configured unless said otherwise.',
} as const;

const wait = {
  type: 'string',
  value: 'SECONDS',
  description: 'How long the node is not ready before the first client goes.',
} as const;

/** How long a cluster may take from the wish to end it to the signals of its nodes. */
const SKIP_SECONDS = 300;

/** Clients that are sent away from nodes, or kept away. */
export const DRAIN_COMMANDS: readonly Command[] = [
  {
    words: 'drain start',
    operation: 'POST /api/v1/nodes/{}/drains',
    options: {
      rate,
      wait,
      deadline: { type: 'string', value: 'SECONDS', description: 'When all have to have gone.' },
      'server-reference': {
        type: 'string',
        value: 'HOSTS',
        description: 'Where MQTT 5 clients are sent.',
      },
      'even-if-last': {
        type: 'boolean',
        description: 'Also when no other node serves clients.',
      },
    },
    body: ({ options }) => ({
      ...common(options),
      ...given('deadline_seconds', numberOption(options, 'deadline')),
      ...given('server_reference', textOption(options, 'server-reference')),
      ...(options['even-if-last'] === true && { even_if_last: true }),
    }),
    examples: ['skein drain start node-1 --rate 200', 'skein drain start node-1 --deadline 60'],
  },
  {
    words: 'drain show',
    operation: 'GET /api/v1/nodes/{}/drains',
    examples: ['skein drain show node-1'],
  },
  {
    words: 'drain stop',
    operation: 'DELETE /api/v1/nodes/{}/drains',
    done: 'stopped',
    examples: ['skein drain stop node-1'],
  },
  {
    words: 'drain skip',
    operation: 'PUT /api/v1/cluster/drain-skip',
    options: {
      seconds: {
        type: 'string',
        value: 'N',
        description: 'How long nodes that are asked to end do so without a drain; 300 if absent.',
      },
    },
    body: ({ options }) => ({ seconds: numberOption(options, 'seconds') ?? SKIP_SECONDS }),
    examples: ['skein drain skip', 'skein drain skip --seconds 60'],
  },
  {
    words: 'drain skipped',
    operation: 'GET /api/v1/cluster/drain-skip',
    examples: ['skein drain skipped'],
  },
  {
    words: 'drain unskip',
    operation: 'DELETE /api/v1/cluster/drain-skip',
    done: 'nodes drain before they end',
    examples: ['skein drain unskip'],
  },
  {
    words: 'maintenance show',
    operation: 'GET /api/v1/nodes/{}/maintenance',
    examples: ['skein maintenance show node-1'],
  },
  {
    words: 'maintenance on',
    operation: 'PUT /api/v1/nodes/{}/maintenance',
    done: 'on',
    examples: ['skein maintenance on node-1'],
  },
  {
    words: 'maintenance off',
    operation: 'DELETE /api/v1/nodes/{}/maintenance',
    done: 'off',
    examples: ['skein maintenance off node-1'],
  },
  {
    words: 'rebalances list',
    operation: 'GET /api/v1/rebalances',
    examples: ['skein rebalances'],
  },
  {
    words: 'rebalances start',
    operation: 'POST /api/v1/rebalances',
    options: {
      rate,
      wait,
      'dry-run': { type: 'boolean', description: 'Only show which node would give how many.' },
    },
    body: ({ options }) => ({
      ...common(options),
      ...(options['dry-run'] === true && { dry_run: true }),
    }),
    examples: ['skein rebalances start --dry-run', 'skein rebalances start --rate 100'],
  },
  {
    words: 'rebalances show',
    operation: 'GET /api/v1/rebalances/{}',
    examples: ['skein rebalances show r-1'],
  },
  {
    words: 'rebalances stop',
    operation: 'DELETE /api/v1/rebalances/{}',
    done: 'stopped',
    examples: ['skein rebalances stop r-1'],
  },
];

function common(options: Invocation['options']): Readonly<Record<string, unknown>> {
  return {
    ...given('connections_per_second', numberOption(options, 'rate')),
    ...given('wait_health_check_seconds', numberOption(options, 'wait')),
  };
}

function given(name: string, value: unknown): Readonly<Record<string, unknown>> {
  return value === undefined ? {} : { [name]: value };
}
