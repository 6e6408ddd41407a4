import { createHash } from 'node:crypto';
import type { ApiDefinitionKind, ApiJournalName, NodeRef } from '#libs/broker-ports';

/*
 * Every key of this lib, after the configured prefix, which holds no braces. What stands in the first braces is the hash
 * tag: keys that one command changes together live in one slot of a Redis Cluster, and sessions spread over all of them.
 * `{retained}` and so on stand for `{prefix:retained}`: clusters that share a Redis Cluster have slots of their own.
 *
 *   prefix:s:{client id}          hash     the session record; `e` epoch, `n` node id, `i` incarnation, `c` connected,
 *                                          `d` durable, `x` expiry interval (s), `t` created (ms), `u` expires (ms),
 *                                          `h` since when messages go to `had` (ms), `w` will in the form of encodeWill as base64, `v` when it is due (ms)
 *   prefix:s:{client id}:queue    stream   queued messages; the entry id is `epoch-sequence`, the value is the
 *                                          message in the form of encodeQueued, under the empty field name; each
 *                                          take raises the id from which entries are accepted to its epoch
 *   prefix:s:{client id}:filters  hash     subscriptions: filter -> options and identifier
 *   prefix:s:{client id}:in       hash     inbound QoS 2 packet ids whose PUBREL is still to come -> the message
 *                                          in the form of encodeBegun; empty once it was taken
 *   prefix:s:{client id}:out      set      outbound QoS 2 packet ids whose PUBCOMP is still to come
 *   prefix:s:{client id}:had      set      identities of the latest messages that were queued with `once`; with
 *                                          32,768 of them, or after an hour, it takes the place of the next
 *   prefix:s:{client id}:had2     set      identities of those before
 *   prefix:owners                 set      `node#incarnation` of every incarnation that took a session
 *   prefix:owned:node#incarnation set      client ids that the incarnation owns, or owned within
 *                                          the last minute or so
 *   prefix:{retained}:messages    hash     topic -> message in the form of encodeMessage: the truth
 *   prefix:{retained}:catalog     hash     topic -> bytes, expiry, identity: what a node's index is made of
 *   prefix:{retained}:log         stream   each change of the catalog, trimmed to about RETAINED_LOG_ENTRIES
 *   prefix:{delayed}:due          zset     id of a delayed message -> when it is due (ms)
 *   prefix:{delayed}:messages     hash     id -> message in the form of encodeMessage
 *   prefix:{delayed}:state        hash     `last` id given, `bytes` of all messages
 *   prefix:{delayed}:once         zset     identity of a QoS 2 message, waiting or due lately -> until when it is remembered (ms)
 *   prefix:{delayed}:claimer      string   who publishes what is due, for as long as its lease
 *   prefix:{exclusive}:holders    hash     filter of an exclusive subscription -> `created client id` of its session
 *   prefix:{dead-letters}:letters stream   dead letters that Skein keeps: JSON, under the empty field name
 *   prefix:{dead-letters}:bytes   string   how many bytes they take
 *   prefix:{rules}:rules          hash     rule id -> `revision JSON`
 *   prefix:{rules}:revision       string   counts the changes of the rules
 *   prefix:{rules}:removed        zset     id of a rule that was removed -> when (ms); the latest DEFINITION_REMOVALS_MAX
 *   prefix:{rules}:ids            zset     rule ids, all with score 0, to page through them in order
 *   prefix:{rules}:log            stream   each change: the entry id is `revision-0`, the value is the rule id, under the
 *                                          empty field name; trimmed to about DEFINITION_LOG_ENTRIES
 *   prefix:{connectors}:connectors ...     the same of connectors, of `users`, `acl`, `bans` and `settings`, and of what is the API's
 *                                          own: `api-keys`, `roles` and so on
 *   prefix:{journal}:{name}       stream   a journal of the API: an entry is JSON, under the empty field name
 *   prefix:api:reply:{hash}       hash     a request with an Idempotency-Key, by the hash of all that names it: `h` hash
 *                                          of its body, `c` who carries it out, `r` the reply as JSON, once there is one
 *   prefix:api:bucket:{hash}      hash     a bucket of the API's rate limits, by the hash of its name: `t` tokens, `a` when
 *                                          they were counted (ms)
 *
 * The keys of a disconnected session carry its expiry as TTL, with EXPIRY_SLACK_MS added: the record decides,
 * the TTL cleans up. A session that is connected or never expires has no TTL.
 */

/**
 * How much longer than its record says a session stays in Redis: more than the clocks of two nodes differ, and time
 * for the owner to discard it, which also takes it off the owner's list.
 */
export const EXPIRY_SLACK_MS = 60_000;

/** About how many changes the log of retained messages holds; a node that is further behind scans the catalog anew. */
export const RETAINED_LOG_ENTRIES = 10_000;

/** About how many changes the log of definitions of a kind holds; who is further behind reads all anew. */
export const DEFINITION_LOG_ENTRIES = 10_000;

/** The keys of a session in the order in which every session command takes them. */
export type SessionKeys = readonly [
  record: string,
  queue: string,
  filters: string,
  received: string,
  released: string,
  had: string,
  hadBefore: string,
];

/** The keys of one session: all in one slot, whatever bytes the client id holds. */
export function sessionKeys(prefix: string, clientId: string): SessionKeys {
  const record = `${prefix}:s:{${hashTag(clientId)}}`;
  return [
    record,
    `${record}:queue`,
    `${record}:filters`,
    `${record}:in`,
    `${record}:out`,
    `${record}:had`,
    `${record}:had2`,
  ];
}

/** The key of the set of incarnations that own sessions. */
export function ownersKey(prefix: string): string {
  return `${prefix}:owners`;
}

/** The key of the set of client ids that an incarnation owns. */
export function ownedKey(prefix: string, owner: NodeRef): string {
  return `${prefix}:owned:${nodeText(owner)}`;
}

/** The keys of the retained messages: truth, catalog and log of changes. */
export function retainedKeys(prefix: string): { messages: string; catalog: string; log: string } {
  const base = `${tagged(prefix, 'retained')}`;
  return { messages: `${base}:messages`, catalog: `${base}:catalog`, log: `${base}:log` };
}

/** The keys of the delayed messages: times, values, counts and who is at work. */
export function delayedKeys(prefix: string): {
  due: string;
  values: string;
  state: string;
  once: string;
  claimer: string;
} {
  const base = `${tagged(prefix, 'delayed')}`;
  return {
    due: `${base}:due`,
    values: `${base}:messages`,
    state: `${base}:state`,
    once: `${base}:once`,
    claimer: `${base}:claimer`,
  };
}

/** The key of the holders of exclusive subscriptions. */
export function exclusiveKey(prefix: string): string {
  return `${tagged(prefix, 'exclusive')}:holders`;
}

/** The keys of the dead letters that Skein keeps, in the order in which their commands take them. */
export function deadLetterKeys(prefix: string): readonly [letters: string, bytes: string] {
  const base = tagged(prefix, 'dead-letters');
  return [`${base}:letters`, `${base}:bytes`];
}

/** What is defined through the API. */
export type DefinitionKind =
  'rules' | 'connectors' | 'users' | 'acl' | 'bans' | 'settings' | ApiDefinitionKind;

/** The keys of the definitions of a kind, in the order in which their commands take them. */
export function definitionKeys(
  prefix: string,
  kind: DefinitionKind,
): readonly [items: string, revision: string, removed: string, ids: string, log: string] {
  const base = tagged(prefix, kind);
  return [`${base}:${kind}`, `${base}:revision`, `${base}:removed`, `${base}:ids`, `${base}:log`];
}

/** The key of a journal of the API. */
export function apiJournalKey(prefix: string, name: ApiJournalName): string {
  return `${tagged(prefix, 'journal')}:${name}`;
}

/** The key of what the API keeps under a name of any length and content: spread over the slots by its hash. */
export function apiKeyOf(prefix: string, part: 'reply' | 'bucket', name: string): string {
  return `${prefix}:api:${part}:{${createHash('sha256').update(name).digest('base64url')}}`;
}

function tagged(prefix: string, name: string): string {
  return `${prefix}:{${prefix}:${name}}`;
}

/** An incarnation as a member of {@link ownersKey}. */
export function nodeText(node: NodeRef): string {
  return `${node.nodeId}#${node.incarnation}`;
}

/** The incarnation that {@link nodeText} wrote. */
export function parseNode(text: string): NodeRef {
  const split = text.lastIndexOf('#');
  return { nodeId: text.slice(0, split), incarnation: Number(text.slice(split + 1)) };
}

/** A tag ends at the first closing brace, so an id may hold none; the sign of the escape is escaped too. */
function hashTag(clientId: string): string {
  return clientId.replaceAll('%', '%25').replaceAll('}', '%7D');
}
