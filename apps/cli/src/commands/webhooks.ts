import type { Command } from '../command.ts';
import { FILE_OPTION, bodyOfFile } from './file-body.ts';

/** Whom the cluster tells of events. */
export const WEBHOOK_COMMANDS: readonly Command[] = [
  {
    words: 'webhooks list',
    operation: 'GET /api/v1/webhooks',
    columns: ['id', 'url', 'events', 'enabled', 'description'],
    examples: ['skein webhooks'],
  },
  {
    words: 'webhooks show',
    operation: 'GET /api/v1/webhooks/{}',
    examples: ['skein webhooks show w7q2m5x4k3n6p2r7'],
  },
  {
    words: 'webhooks add',
    operation: 'POST /api/v1/webhooks',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein webhooks add --file on-call.yaml'],
  },
  {
    words: 'webhooks replace',
    operation: 'PUT /api/v1/webhooks/{}',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein webhooks replace w7q2m5x4k3n6p2r7 --file on-call.yaml'],
  },
  ...([true, false] as const).map((enabled) => ({
    words: `webhooks ${enabled ? 'resume' : 'pause'}`,
    operation: 'PATCH /api/v1/webhooks/{}',
    summary: enabled ? 'Tell an endpoint of events again' : 'Tell an endpoint of nothing for now',
    body: () => ({ enabled }),
    examples: [`skein webhooks ${enabled ? 'resume' : 'pause'} w7q2m5x4k3n6p2r7`],
  })),
  {
    words: 'webhooks test',
    operation: 'POST /api/v1/webhooks/{}/tests',
    examples: ['skein webhooks test w7q2m5x4k3n6p2r7'],
  },
  {
    words: 'webhooks deliveries',
    operation: 'GET /api/v1/webhooks/{}/deliveries',
    columns: ['id', 'state', 'event_count', 'next_attempt_at', 'ended_at'],
    examples: ['skein webhooks deliveries w7q2m5x4k3n6p2r7 --state failed'],
  },
  {
    words: 'webhooks remove',
    operation: 'DELETE /api/v1/webhooks/{}',
    done: 'removed',
    examples: ['skein webhooks remove w7q2m5x4k3n6p2r7'],
  },
];
