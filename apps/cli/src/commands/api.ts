import { OPERATIONS, type Operation, type OperationId } from '#libs/api-contracts';
import type { Command, Invocation } from '../command.ts';
import type { AnyCall } from '../connection.ts';
import { UsageError } from '../exit-code.ts';
import { table } from '../format.ts';
import { FILE_OPTION, bodyOfFile } from './file-body.ts';

const PAIR = { type: 'string', multiple: true, value: 'NAME=VALUE' } as const;

/** Any operation of the API, by its name. */
export const API_COMMANDS: readonly Command[] = [
  {
    words: 'api list',
    summary: 'List the operations of the API',
    run: async ({ terminal, json }) => {
      const rows = Object.entries<Operation>(OPERATIONS).map(
        ([operation, { method, path, scope, summary }]) => ({
          operation,
          method: method.toUpperCase(),
          path,
          scope,
          summary,
        }),
      );
      if (json) for (const row of rows) terminal.print(JSON.stringify(row));
      else terminal.print(table(rows, ['operation', 'method', 'path', 'scope', 'summary']));
    },
    examples: ['skein api list'],
  },
  {
    words: 'api call',
    summary: 'Call any operation and print its answer as it comes',
    positionals: ['operation'],
    options: {
      path: { ...PAIR, description: 'A parameter of the path.' },
      query: { ...PAIR, description: 'A parameter of the query.' },
      header: { ...PAIR, description: 'A header, such as If-Match.' },
      ...FILE_OPTION,
    },
    run: call,
    examples: [
      'skein api call getClient --path client_id=press/7',
      'skein api call createBridgeRule --file rule.yaml --header Idempotency-Key=1',
    ],
  },
];

async function call(invocation: Invocation): Promise<void> {
  const { values, options, terminal, api } = invocation;
  const id = values['operation'] ?? '';
  if (!Object.hasOwn(OPERATIONS, id)) {
    throw new UsageError(`there is no operation '${id}': skein api list shows them`);
  }
  const parts: AnyCall = {
    path: pairs(options['path']),
    query: pairs(options['query']),
    headers: pairs(options['header']),
    signal: terminal.stop,
    ...(options['file'] === undefined ? {} : { body: await bodyOfFile(invocation) }),
  };
  const { body } = await api.open(id as OperationId, parts);
  if (body === null) return;
  let last = 10;
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    await terminal.write(chunk);
    last = chunk.at(-1) ?? last;
  }
  if (last !== 10) await terminal.write('\n');
}

function pairs(given: unknown): Readonly<Record<string, string>> {
  const list = Array.isArray(given) ? (given as string[]) : [];
  return Object.fromEntries(
    list.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new UsageError(`write it NAME=VALUE, not '${pair}'`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
