import {
  OPERATIONS,
  longOperationSchema,
  parametersOf,
  type Operation,
  type OperationId,
} from '#libs/api-contracts';
import type { Connection } from './connection.ts';
import type { Terminal } from './terminal.ts';

/** An option of a command. */
export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  readonly short?: string;
  readonly description: string;
  /** What a value stands for in the help. */
  readonly value?: string;
  /** The values that there are. */
  readonly choices?: readonly string[];
}

/** What was given for options. */
export type Options = Readonly<Record<string, string | boolean | string[] | undefined>>;

/** A command as it is run. */
export interface Invocation {
  readonly command: Command;
  readonly options: Options;
  /** By the names of the positionals. */
  readonly values: Readonly<Record<string, string | undefined>>;
  readonly terminal: Terminal;
  readonly api: Connection;
  readonly json: boolean;
}

/** A command: most are an operation of the API with a name for people. */
export interface Command {
  /** `bans add`. */
  readonly words: string;
  /** Method and path of the operation as the contract has them, names of parameters left out: `GET /api/v1/clients/{}`. */
  readonly operation?: string;
  /** @defaultValue that of the operation */
  readonly summary?: string;
  /** Without brackets needed, `[payload]` optional. The default is the parameters of the path. */
  readonly positionals?: readonly string[];
  /** Besides those of the operation's query. */
  readonly options?: Readonly<Record<string, OptionSpec>>;
  /** Columns of a list, of those that items have. */
  readonly columns?: readonly string[];
  readonly examples: readonly string[];
  /** Makes the body of the request. */
  readonly body?: (invocation: Invocation) => unknown;
  /** What to say when it is done and the API has nothing to add. */
  readonly done?: string;
  /** Runs the command instead of calling its operation. */
  readonly run?: (invocation: Invocation) => Promise<void>;
}

/** The operations by method and path, names of parameters left out. */
const BY_PLACE: ReadonlyMap<string, OperationId> = new Map(
  Object.entries<Operation>(OPERATIONS).map(([id, { method, path }]) => [
    `${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, '{}')}`,
    id as OperationId,
  ]),
);

/** The operation at a place of the API; undefined when this version has none there. */
export function operationAt(place: string): OperationId | undefined {
  return BY_PLACE.get(place);
}

/** The operation of a command; undefined for a command that is more than one, or none. */
export function operationOf({ operation }: Command): Operation | undefined {
  const id = operation === undefined ? undefined : operationAt(operation);
  return id === undefined ? undefined : OPERATIONS[id];
}

/** Whether this version of the API has what the command needs. */
export function isOffered({ operation }: Command): boolean {
  return operation === undefined || operationAt(operation) !== undefined;
}

/** The summary of a command. */
export function summaryOf(command: Command): string {
  return command.summary ?? operationOf(command)?.summary ?? '';
}

/** The names of the positionals, in brackets where they are optional. */
export function positionalsOf(command: Command): readonly string[] {
  const path = operationOf(command)?.path ?? '';
  return command.positionals ?? [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
}

/** Query parameters that the program gives by itself. */
const OWN_PARAMETERS = new Set(['cursor', 'limit', 'fields']);

/** The option that stands for a query parameter: `client_id[like]` is `--client-id-like`. */
export function optionName(parameter: string): string {
  return parameter.replaceAll(/[[_]/g, '-').replaceAll(']', '');
}

/** Parameters of the query that are options, by the name of the option. */
export function queryOptions(
  command: Command,
): ReadonlyMap<string, { readonly parameter: string; readonly spec: OptionSpec }> {
  const operation = operationOf(command);
  if (operation === undefined || command.run !== undefined) return new Map();
  const named = new Set(positionalsOf(command).map((name) => name.replaceAll(/[[\]]/g, '')));
  return new Map(
    parametersOf(operation)
      .filter(
        ({ in: place, name }) => place === 'query' && !OWN_PARAMETERS.has(name) && !named.has(name),
      )
      .map(({ name, description, schema }) => {
        const values = (schema['enum'] ?? []) as readonly string[];
        const isFlag = values.length === 2 && values.includes('true') && values.includes('false');
        const spec: OptionSpec = {
          type: isFlag ? 'boolean' : 'string',
          description: description ?? describe(name),
          ...(isFlag || values.length === 0 ? {} : { choices: values }),
        };
        return [optionName(name), { parameter: name, spec }];
      }),
  );
}

function describe(parameter: string): string {
  const [field = '', operator] = parameter.split(/[[\]]/);
  const noun = field.replaceAll('_', ' ');
  switch (operator) {
    case 'gte':
      return `Only from this ${noun} on.`;
    case 'lte':
      return `Only up to this ${noun}.`;
    case 'like':
      return `Only where the ${noun} begins with this.`;
    case 'in':
      return `Only where the ${noun} is one of these, separated by commas.`;
    case undefined:
    default:
      return `Only of this ${noun}.`;
  }
}

/** Whether an operation answers in pages. */
export function isList(operation: Operation | undefined): boolean {
  return operation?.query !== undefined && 'cursor' in operation.query.shape;
}

/** Options that every command has. */
export const GLOBAL_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  server: { type: 'string', value: 'URL', description: 'Where the API is.' },
  profile: {
    type: 'string',
    value: 'NAME',
    description: 'Which profile to use; what it says beats variables.',
  },
  'key-file': {
    type: 'string',
    value: 'FILE',
    description: 'The API key is the first line of it.',
  },
  'ca-file': {
    type: 'string',
    value: 'FILE',
    description: 'Certificates to trust besides the usual ones.',
  },
  json: { type: 'boolean', description: 'JSON, for programs; a line for each item of a stream.' },
  help: { type: 'boolean', short: 'h', description: 'This help.' },
};

/** Options of lists. */
const LIST_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  limit: { type: 'string', value: 'N', description: 'At most so many; 100 unless said otherwise.' },
  all: { type: 'boolean', description: 'All of them, however many.' },
};

/** Options of changes that name the state they are made on. */
const MATCH_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  'if-match': {
    type: 'string',
    value: 'ETAG',
    description: 'Only if it is still this revision; without it, what it is now.',
  },
};

/** Whether an operation wants to know which revision it changes. */
export function wantsMatch(operation: Operation | undefined): boolean {
  return operation?.headers?.['If-Match'] !== undefined;
}

/** Options of commands that begin long operations. */
const WAIT_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  'no-wait': {
    type: 'boolean',
    description: 'Ends when the operation has begun; see skein operations.',
  },
};

/** Whether an operation of the API may begin a long one. */
function beginsLong(operation: Operation | undefined): boolean {
  return operation?.replies[202]?.schema === longOperationSchema;
}

/** Every option of a command, by name. */
export function optionsOf(command: Command): Readonly<Record<string, OptionSpec>> {
  const operation = operationOf(command);
  const generic = command.run === undefined;
  return {
    ...command.options,
    ...Object.fromEntries([...queryOptions(command)].map(([name, { spec }]) => [name, spec])),
    ...(generic && isList(operation) ? LIST_OPTIONS : {}),
    ...(generic && wantsMatch(operation) ? MATCH_OPTIONS : {}),
    ...(generic && beginsLong(operation) ? WAIT_OPTIONS : {}),
    ...GLOBAL_OPTIONS,
  };
}
