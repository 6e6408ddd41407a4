import type {
  BridgeCreate,
  FieldError,
  WireConnectorDraft,
  WireFieldFault,
} from '#libs/api-contracts';
import { ProblemError } from './http/problem-error.ts';

/** A bridge of a request as nodes take it: they check it, and add defaults. */
export function draftOf({ id, ...body }: BridgeCreate): WireConnectorDraft {
  const { tls, schemaRegistry, ...settings } = camelKeys(body);
  return { ...settings, ...sectionOf({ tls }), ...sectionOf({ schemaRegistry }), id };
}

/** The problem that nodes find with a bridge, each fault with the place in the request's body. */
export function faultyBridge(faults: readonly WireFieldFault[], within = ''): ProblemError {
  const errors: FieldError[] = faults.map(({ path, problem }) => ({
    pointer: within + pointerOf(path),
    code: 'invalid',
    detail: problem,
  }));
  const detail = faults
    .map(({ path, problem }) => `${snakeKeys(path).join('.')} ${problem}`.trimStart())
    .join('; ');
  return new ProblemError('unprocessable', detail, { errors });
}

/** Keys of ours within a section; names that somebody chose are in other places. */
function sectionOf(named: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const [[name, section] = []] = Object.entries(named);
  if (name === undefined || typeof section !== 'object' || section === null) return {};
  return { [name]: camelKeys(section) };
}

function camelKeys(value: object): Record<string, unknown> {
  const camel = (key: string): string =>
    key.replaceAll(/_[a-z]/gu, (part) => part.slice(1).toUpperCase());
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [camel(key), each]));
}

function snakeKeys(path: readonly string[]): readonly string[] {
  // What follows `headers` is a name that somebody chose.
  if (path[0] === 'headers') return path;
  return path.map((key) => key.replaceAll(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`));
}

function pointerOf(path: readonly string[]): string {
  return snakeKeys(path)
    .map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('');
}
