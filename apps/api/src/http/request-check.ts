import { z } from 'zod';
import { JSON_TYPE, type FieldError, type Operation, type ProblemCode } from '#libs/api-contracts';
import { ProblemError } from './problem-error.ts';

/** The parts of a request that a contract speaks of. */
export interface UncheckedRequest {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

/** A request that meets its contract. */
export interface CheckedRequest {
  readonly path: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

interface Fault extends FieldError {
  /** The problem that this fault alone would be. */
  readonly problem: ProblemCode;
}

const ERRORS_MAX = 100;

/** What is not documented is refused. */
const NO_QUERY = z.strictObject({});

/** Reason codes of MQTT 5 for the problems that it knows. */
const MQTT_REASON_CODES: Partial<Record<ProblemCode, number>> = {
  'invalid-filter': 0x8f,
  'invalid-topic': 0x90,
};

/**
 * Checks a request against the contract of its operation and fills in defaults.
 *
 * @throws ProblemError naming every faulty place.
 */
export function checkRequest(operation: Operation, request: UncheckedRequest): CheckedRequest {
  const faults: Fault[] = [];
  const check = (schema: z.ZodType | undefined, value: unknown, root: string): unknown => {
    const parsed = schema?.safeParse(value);
    if (parsed?.success === false) {
      // Not spread: there may be more of them than a call has arguments.
      for (const issue of parsed.error.issues) {
        for (const fault of faultsOf(issue, root)) faults.push(fault);
      }
    }
    return parsed?.data;
  };
  const checked = {
    path: check(operation.pathParameters, request.params, '/path'),
    query: check(operation.query ?? NO_QUERY, { ...(request.query as object) }, '/query'),
    body: check(operation.body, request.body, ''),
  };
  if (operation.body === undefined && request.body !== undefined && request.body !== null) {
    const detail = 'The operation takes no body';
    faults.push({ pointer: '', code: 'unknown-field', detail, problem: 'validation-failed' });
  }
  if (faults.length > 0) throw refusal(faults);
  return checked;
}

/** A value that meets its schema, as an item of a bulk request. @throws ProblemError naming every faulty place. */
export function checkedItem<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw refusal(parsed.error.issues.flatMap((issue) => faultsOf(issue, '')));
}

/** @throws ProblemError when the body of a request is of another type than its operation takes. */
export function requireBodyType(operation: Operation, given: string | undefined): void {
  const { body, bodyType = JSON_TYPE, otherBodyTypes = [] } = operation;
  if (body === undefined || given === undefined) return;
  const types = [bodyType, ...otherBodyTypes];
  if (types.includes(given.split(';', 1)[0]?.trim().toLowerCase() ?? '')) return;
  throw new ProblemError('unsupported-media-type', `The operation takes ${types.join(' or ')}`);
}

function refusal(faults: readonly Fault[]): ProblemError {
  const problems = new Set(faults.map(({ problem }) => problem));
  const [first = 'validation-failed'] = problems;
  const code = problems.has('unknown-parameter')
    ? 'unknown-parameter'
    : problems.size === 1
      ? first
      : 'validation-failed';
  const errors = faults
    .slice(0, ERRORS_MAX)
    .map(({ pointer, code: fault, detail }) => ({ pointer, code: fault, detail }));
  const reason = MQTT_REASON_CODES[code];
  return new ProblemError(code, faults[0]?.detail ?? '', {
    errors,
    ...(reason === undefined ? {} : { mqttReasonCode: reason }),
  });
}

function faultsOf(issue: z.core.$ZodIssue, root: string): readonly Fault[] {
  const pointer = root + issue.path.map(token).join('');
  if (issue.code === 'unrecognized_keys') {
    const [code, problem] =
      root === '/query'
        ? (['unknown-parameter', 'unknown-parameter'] as const)
        : (['unknown-field', 'validation-failed'] as const);
    return issue.keys.map((key) => ({
      pointer: pointer + token(key),
      code,
      detail: 'The operation does not know it',
      problem,
    }));
  }
  const special = issue.code === 'custom' ? issue.params?.['problem'] : undefined;
  const problem = special === 'invalid-topic' || special === 'invalid-filter' ? special : undefined;
  return [
    {
      pointer,
      code: problem ?? issue.code.replaceAll('_', '-'),
      detail: issue.message,
      problem: problem ?? 'validation-failed',
    },
  ];
}

/** A reference token of a JSON pointer (RFC 6901). */
function token(key: PropertyKey): string {
  return `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
