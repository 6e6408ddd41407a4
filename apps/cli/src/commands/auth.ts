import type { Command } from '../command.ts';
import { FILE_OPTION, bodyOfFile } from './file-body.ts';
import { orderOf } from './order.ts';

/** Who is asked who a client is. */
export const AUTH_COMMANDS: readonly Command[] = [
  {
    words: 'auth chains',
    operation: 'GET /api/v1/auth/chains',
    columns: ['listener', 'backends', 'anonymous'],
    examples: ['skein auth chains'],
  },
  {
    words: 'auth chain',
    operation: 'GET /api/v1/auth/chains/{}',
    examples: ['skein auth chain tls'],
  },
  {
    words: 'auth set-chain',
    operation: 'PUT /api/v1/auth/chains/{}',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein auth set-chain tls --file chain.yaml'],
  },
  {
    words: 'auth backends',
    operation: 'GET /api/v1/auth/backends',
    columns: ['id', 'kind', 'source', 'enabled', 'settings'],
    examples: ['skein auth backends'],
  },
  {
    words: 'auth backend',
    operation: 'GET /api/v1/auth/backends/{}',
    examples: ['skein auth backend stored'],
  },
  {
    words: 'auth add-backend',
    operation: 'POST /api/v1/auth/backends',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein auth add-backend --file directory.yaml'],
  },
  {
    words: 'auth replace-backend',
    operation: 'PUT /api/v1/auth/backends/{}',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein auth replace-backend directory --file directory.yaml'],
  },
  {
    words: 'auth change-backend',
    operation: 'PATCH /api/v1/auth/backends/{}',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['echo "enabled: false" | skein auth change-backend directory --file -'],
  },
  {
    words: 'auth test-backend',
    operation: 'POST /api/v1/auth/backends/{}/test',
    summary: 'Ask a backend about a login, which is stored nowhere',
    options: FILE_OPTION,
    body: bodyOfFile,
    examples: ['skein auth test-backend directory --file login.yaml'],
  },
  {
    words: 'auth order',
    operation: 'PUT /api/v1/auth/backends/order',
    positionals: ['ids'],
    body: orderOf,
    examples: ['skein auth order directory,stored', 'skein auth order stored,directory --dry-run'],
  },
  {
    words: 'auth remove-backend',
    operation: 'DELETE /api/v1/auth/backends/{}',
    done: 'removed',
    examples: ['skein auth remove-backend directory'],
  },
];
