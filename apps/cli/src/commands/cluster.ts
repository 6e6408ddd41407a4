import type { Command } from '../command.ts';
import { FILE_OPTION, bodyOfFile } from './file-body.ts';
import { top } from './top.ts';

/** The cluster, its nodes and listeners. */
export const CLUSTER_COMMANDS: readonly Command[] = [
  {
    words: 'status',
    operation: 'GET /api/v1/status',
    examples: ['skein status', 'skein status --json | jq .connections'],
  },
  {
    words: 'nodes list',
    operation: 'GET /api/v1/nodes',
    columns: ['id', 'state', 'reachable', 'version', 'zone', 'started_at'],
    examples: ['skein nodes', 'skein nodes --state draining'],
  },
  {
    words: 'nodes show',
    operation: 'GET /api/v1/nodes/{}',
    examples: ['skein nodes show node-1'],
  },
  {
    words: 'nodes stats',
    operation: 'GET /api/v1/nodes/{}/stats',
    examples: ['skein nodes stats node-1'],
  },
  {
    words: 'nodes config',
    operation: 'GET /api/v1/nodes/{}/config',
    examples: ['skein nodes config node-1 --json'],
  },
  {
    words: 'nodes metrics',
    operation: 'GET /api/v1/nodes/{}/metrics',
    examples: ['skein nodes metrics node-1'],
  },
  {
    words: 'nodes listeners',
    operation: 'GET /api/v1/nodes/{}/listeners',
    examples: ['skein nodes listeners node-1'],
  },
  {
    words: 'nodes forget',
    operation: 'DELETE /api/v1/nodes/{}',
    done: 'forgotten',
    examples: ['skein nodes forget node-3'],
  },
  {
    words: 'health',
    operation: 'GET /api/v1/health/checks',
    columns: ['name', 'status', 'detail'],
    examples: ['skein health'],
  },
  {
    words: 'health show',
    operation: 'GET /api/v1/health/checks/{}',
    examples: ['skein health show redis', 'skein health show certificate-expiration --within 30d'],
  },
  {
    words: 'version',
    operation: 'GET /api/v1/version',
    summary: 'Show the versions of the API and of the nodes',
    examples: ['skein version'],
  },
  {
    words: 'features',
    operation: 'GET /api/v1/features',
    examples: ['skein features'],
  },
  {
    words: 'listeners list',
    operation: 'GET /api/v1/listeners',
    examples: ['skein listeners'],
  },
  {
    words: 'listeners show',
    operation: 'GET /api/v1/listeners/{}',
    examples: ['skein listeners show tls'],
  },
  {
    words: 'listeners start',
    operation: 'POST /api/v1/listeners/{}/start',
    done: 'started',
    examples: ['skein listeners start tls'],
  },
  {
    words: 'listeners stop',
    operation: 'POST /api/v1/listeners/{}/stop',
    done: 'stopped',
    examples: ['skein listeners stop tls'],
  },
  {
    words: 'listeners restart',
    operation: 'POST /api/v1/listeners/{}/restart',
    done: 'restarted',
    examples: ['skein listeners restart tls'],
  },
  {
    words: 'listeners add',
    operation: 'POST /api/v1/listeners',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein listeners add --file plant.yaml'],
  },
  {
    words: 'listeners replace',
    operation: 'PUT /api/v1/listeners/{}',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein listeners replace plant --file plant.yaml'],
  },
  {
    words: 'listeners change',
    operation: 'PATCH /api/v1/listeners/{}',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['echo "connectionsMax: 500" | skein listeners change plant --file -'],
  },
  {
    words: 'listeners remove',
    operation: 'DELETE /api/v1/listeners/{}',
    done: 'removed',
    examples: ['skein listeners remove plant'],
  },
  {
    words: 'certificates list',
    operation: 'GET /api/v1/certificates',
    examples: ['skein certificates'],
  },
  {
    words: 'certificates reload',
    operation: 'POST /api/v1/certificates/reloads',
    examples: ['skein certificates reload'],
  },
  {
    words: 'top',
    summary: 'Watch the cluster: a view that is drawn anew, or with --json a line each time',
    options: {
      interval: {
        type: 'string',
        value: 'SECONDS',
        description: 'How often; 2 unless said otherwise.',
      },
      count: { type: 'string', value: 'N', description: 'End after so many views.' },
    },
    run: top,
    examples: ['skein top', 'skein top --json --count 10 --interval 1'],
  },
];
