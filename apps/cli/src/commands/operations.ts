import { textOption } from '../arguments.ts';
import { operationAt, type Command, type Invocation } from '../command.ts';
import { LocalError, UsageError } from '../exit-code.ts';
import { printLong } from '../operation-command.ts';
import { saveTo } from '../save.ts';
import { FILE_OPTION, bodyOfFile } from './file-body.ts';

const OUT_OPTION = {
  out: {
    type: 'string',
    short: 'o',
    value: 'FILE',
    description: 'Where it is written, readable for you alone; the standard output without it.',
  },
} as const;

/** Long operations, and those that always are: backups. */
export const OPERATION_COMMANDS: readonly Command[] = [
  {
    words: 'operations list',
    operation: 'GET /api/v1/operations',
    columns: ['id', 'kind', 'state', 'actor', 'progress', 'created_at', 'ended_at'],
    examples: ['skein operations', 'skein operations --state running'],
  },
  {
    words: 'operations show',
    operation: 'GET /api/v1/operations/{}',
    examples: ['skein operations show 5b0f1d0e-7a3c-4a52-9a3e-0d7c2f6a1b11'],
  },
  {
    words: 'operations wait',
    operation: 'GET /api/v1/operations/{}',
    summary: 'Wait until a long operation has ended, and show what it has come to',
    positionals: ['operation_id'],
    run: wait,
    examples: ['skein operations wait 5b0f1d0e-7a3c-4a52-9a3e-0d7c2f6a1b11'],
  },
  {
    words: 'operations cancel',
    operation: 'DELETE /api/v1/operations/{}',
    examples: ['skein operations cancel 5b0f1d0e-7a3c-4a52-9a3e-0d7c2f6a1b11'],
  },
  {
    words: 'backup list',
    operation: 'GET /api/v1/backups',
    examples: ['skein backup list'],
  },
  {
    words: 'backup create',
    operation: 'POST /api/v1/backups',
    body: () => ({}),
    examples: ['skein backup create', 'skein backup create --no-wait'],
  },
  {
    words: 'backup show',
    operation: 'GET /api/v1/backups/{}',
    examples: ['skein backup show 20260102-030405-9f2c'],
  },
  {
    words: 'backup download',
    operation: 'GET /api/v1/backups/{}/content',
    summary: 'Write a backup to a file',
    positionals: ['backup_id'],
    options: OUT_OPTION,
    run: download,
    examples: ['skein backup download 20260102-030405-9f2c --out skein.backup'],
  },
  {
    words: 'backup remove',
    operation: 'DELETE /api/v1/backups/{}',
    done: 'removed',
    examples: ['skein backup remove 20260102-030405-9f2c'],
  },
  {
    words: 'restore',
    operation: 'POST /api/v1/backups/{}/restores',
    options: {
      'dry-run': { type: 'boolean', description: 'Changes nothing, and says what it would do.' },
    },
    body: ({ options }) => (options['dry-run'] === true ? { dry_run: true } : {}),
    examples: [
      'skein restore 20260102-030405-9f2c --dry-run',
      'skein restore 20260102-030405-9f2c',
    ],
  },
  {
    words: 'definitions export',
    operation: 'GET /api/v1/definitions',
    summary: 'Write what is defined over the API as one document',
    options: OUT_OPTION,
    run: download,
    examples: ['skein definitions export --out skein.json'],
  },
  {
    words: 'definitions import',
    operation: 'POST /api/v1/definitions',
    options: FILE_OPTION,
    body: bodyOfFile,
    columns: ['section', 'id', 'outcome', 'detail'],
    examples: [
      'skein definitions import --file skein.json --dry-run',
      'skein definitions import --file skein.json --mode replace',
    ],
  },
];

async function wait(invocation: Invocation): Promise<void> {
  const client = await invocation.api.client();
  const path = { operation_id: invocation.values['operation_id'] ?? '' };
  const { body } = await client.call('getOperation', { path });
  await printLong(invocation, body);
}

async function download(invocation: Invocation): Promise<void> {
  const { values, options, terminal, command, api } = invocation;
  const id = operationAt(command.operation ?? '');
  if (id === undefined) throw new UsageError('this version of the API has nothing for it');
  const { backup_id: backup } = values;
  const { body } = await api.open(id, {
    ...(backup !== undefined && { path: { backup_id: backup } }),
    signal: terminal.stop,
  });
  if (body === null) throw new LocalError('the answer is empty');
  const file = textOption(options, 'out');
  const chunks = body as unknown as AsyncIterable<Uint8Array>;
  if (file === undefined) for await (const chunk of chunks) await terminal.write(chunk);
  else terminal.note(`${file}: ${await saveTo(file, chunks)} bytes`);
}
