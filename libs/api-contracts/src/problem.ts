import { z } from 'zod';
import { named } from './schema.ts';

interface ProblemText {
  readonly status: number;
  readonly title: string;
  /** What it means and what to do, for the page that the problem's `type` names. */
  readonly text: string;
}

/** Every way a call can fail: the closed list of problem codes with their status and their page. */
export const PROBLEMS = {
  'validation-failed': {
    status: 400,
    title: 'Validation failed',
    text: 'The request is not what the operation expects. `errors` names each faulty place: a JSON pointer into the body, or `/query/<name>`, `/path/<name>`, `/header/<name>`.',
  },
  'unknown-parameter': {
    status: 400,
    title: 'Unknown parameter',
    text: 'The query holds a parameter that the operation does not know. Nothing is ignored in silence: correct the name or leave it out.',
  },
  'invalid-cursor': {
    status: 400,
    title: 'Invalid cursor',
    text: 'The cursor was altered, has expired, or was made for other filters. Start again without a cursor.',
  },
  'invalid-filter': {
    status: 400,
    title: 'Invalid topic filter',
    text: 'A topic filter is 1 to 65535 bytes of UTF-8 without U+0000; `+` and `#` stand alone in their level, `#` only in the last.',
  },
  'invalid-topic': {
    status: 400,
    title: 'Invalid topic',
    text: 'A topic name is 1 to 65535 bytes of UTF-8 without U+0000, `+` and `#`.',
  },
  unauthenticated: {
    status: 401,
    title: 'Unauthenticated',
    text: 'Send an API key as `Authorization: Bearer <key>` (or Basic, with the id of the key as the user), or a token of the issuer that the API trusts.',
  },
  'expired-credential': {
    status: 401,
    title: 'Credential expired',
    text: 'The key or token was right and is so no longer. Rotate the key, or get another token.',
  },
  forbidden: {
    status: 403,
    title: 'Forbidden',
    text: 'The caller has not the scope that the operation needs; `GET /api/v1/whoami` shows those it has. An API without a key serves programs on its own machine only: the Host header must name the loopback address, and web pages of other origins are refused.',
  },
  'ip-not-allowed': {
    status: 403,
    title: 'Address not allowed',
    text: 'The key may not be used from this address: see its `allowed_cidrs`. Behind a proxy, `api.trustedProxies` has to name it.',
  },
  'scope-escalation': {
    status: 403,
    title: 'Scope escalation',
    text: 'Nobody can grant more than they have: scopes, topic prefixes, addresses and life of a key, role or binding stay within those of the caller.',
  },
  'topic-not-allowed': {
    status: 403,
    title: 'Topic not allowed',
    text: 'The broker does not permit the message on this topic, or the key of the caller is for other topics.',
  },
  'not-found': {
    status: 404,
    title: 'Not found',
    text: 'There is no such resource, or no such path.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'Method not allowed',
    text: 'The path exists, but not with this method. `Allow` lists those it has.',
  },
  'not-acceptable': {
    status: 406,
    title: 'Not acceptable',
    text: 'Replies are JSON: accept `application/json`.',
  },
  'already-exists': {
    status: 409,
    title: 'Already exists',
    text: 'A resource with this id exists. Replace it with PUT, or choose another id.',
  },
  'node-alive': {
    status: 409,
    title: 'Node is alive',
    text: 'The node has a lease: only a dead one can be forgotten. Drain and stop it first.',
  },
  'no-subscribers': {
    status: 409,
    title: 'No subscribers',
    text: 'Nobody is subscribed to the topic of the request, so nobody can answer it. It was not published.',
  },
  'limit-reached': {
    status: 409,
    title: 'Limit reached',
    text: 'There are as many of them as the cluster takes. Remove some first.',
  },
  conflict: {
    status: 409,
    title: 'Conflict',
    text: 'The resource does not permit the change in its present state; the detail says why.',
  },
  'idempotency-in-progress': {
    status: 409,
    title: 'Request in progress',
    text: 'A request with this `Idempotency-Key` is being carried out. Ask again in a second: the answer will be that of the first.',
  },
  'precondition-failed': {
    status: 412,
    title: 'Precondition failed',
    text: 'The resource has changed since you read it. Read it again and repeat the change on what it is now.',
  },
  'payload-too-large': {
    status: 413,
    title: 'Payload too large',
    text: 'The body exceeds the limit of the API.',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'Unsupported media type',
    text: 'Send bodies as `application/json`.',
  },
  unprocessable: {
    status: 422,
    title: 'Unprocessable',
    text: 'The request is well-formed but refers to what does not exist or cannot be; the detail says what.',
  },
  'idempotency-mismatch': {
    status: 422,
    title: 'Idempotency-Key used before',
    text: 'Another body was sent under this `Idempotency-Key` within 24 hours. Take a new key for a new request.',
  },
  'precondition-required': {
    status: 428,
    title: 'Precondition required',
    text: 'Changes need `If-Match` with the ETag last read, so that nobody overwrites what somebody else wrote.',
  },
  'rate-limited': {
    status: 429,
    title: 'Rate limited',
    text: 'The caller sends more than it may, or the broker has reached a quota. Try again after `Retry-After` seconds.',
  },
  'head-too-large': {
    status: 431,
    title: 'Request head too large',
    text: 'The request line and headers exceed 256 KiB.',
  },
  internal: {
    status: 500,
    title: 'Internal error',
    text: 'A fault of Skein. The log holds the cause under the request id.',
  },
  'node-unavailable': {
    status: 503,
    title: 'Node unavailable',
    text: 'A node that the call needs did not answer in time. The detail of a change says whether it was not done or its outcome is unknown.',
  },
  'storage-unavailable': {
    status: 503,
    title: 'Storage unavailable',
    text: 'The store behind the nodes (Redis) did not answer. Try again later.',
  },
  overloaded: {
    status: 503,
    title: 'Overloaded',
    text: 'Too much of what the call needs is going on at the moment. Try again later.',
  },
  'no-response': {
    status: 504,
    title: 'No response',
    text: 'The request was published, but no answer came in time. Look whether the device is connected, may publish to the response topic, and repeats the correlation data.',
  },
  'bridge-unavailable': {
    status: 503,
    title: 'Bridge unavailable',
    text: 'Kafka did not accept the record that a bridge rule asks for, so the message is not acknowledged.',
  },
} as const satisfies Readonly<Record<string, ProblemText>>;

/** A problem code of the closed list. */
export type ProblemCode = keyof typeof PROBLEMS;

/** One faulty place of a request. */
export const fieldErrorSchema = named(
  'FieldError',
  z.object({
    pointer: z.string().describe('JSON pointer to the faulty place.'),
    code: z.string(),
    detail: z.string(),
  }),
);

/** The body of every reply that is not a success (RFC 9457). */
export const problemSchema = named(
  'Problem',
  z.object({
    type: z.string().describe('A page about the problem, served by this API.'),
    title: z.string(),
    status: z.number().int(),
    code: z.enum(Object.keys(PROBLEMS) as ProblemCode[]),
    detail: z.string(),
    instance: z.string().describe('The path of the request.'),
    request_id: z.string(),
    errors: z.array(fieldErrorSchema).optional(),
    mqtt_reason_code: z.number().int().optional(),
  }),
);

/** One faulty place of a request. */
export type FieldError = z.infer<typeof fieldErrorSchema>;

/** The body of every reply that is not a success (RFC 9457). */
export type Problem = z.infer<typeof problemSchema>;
