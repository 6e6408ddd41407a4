import type { Command } from '../command.ts';

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
    words: 'subscriptions list',
    operation: 'GET /api/v1/subscriptions',
    columns: ['client_id', 'filter', 'qos', 'node'],
    examples: ['skein subscriptions --match-topic devices/7/telemetry'],
  },
];
