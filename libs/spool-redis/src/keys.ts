/*
 * Every key of this lib, after the configured prefix, which holds no braces. All of a node are in one slot of a Redis Cluster,
 * so that one command writes a group. `T` stands for `{prefix:spool:node id}`:
 *
 *   prefix:{prefix:spools}   hash   node id -> who had its spool last, of all spools there are; T:owner decides
 *   prefix:T:owner       string   who writes: the process that took the spool last
 *   prefix:T:logs        hash     rule id -> `first next end`, the state of its log
 *   prefix:T:marks       hash     rule id -> `from bits`, in base64: what of its log is done with, see SpoolMarks
 *   prefix:T:log:RULE    stream   the blocks of the log; the id of an entry is `last-before`, its value is the block, under the
 *                                 empty field name
 */

/** The keys of the spool of one node. */
export interface SpoolKeys {
  readonly owner: string;
  readonly logs: string;
  readonly marks: string;
  /** The stream of a rule. */
  readonly log: (rule: string) => string;
}

/** The keys of the spool of one node, whatever its id holds. */
export function spoolKeys(prefix: string, nodeId: string): SpoolKeys {
  // A tag ends at the first closing brace, so it may hold none; the sign of the escape is escaped too.
  const id = nodeId.replaceAll('%', '%25').replaceAll('}', '%7D');
  const base = `${prefix}:{${prefix}:spool:${id}}`;
  const log = (rule: string): string => `${base}:log:${rule}`;
  return { owner: `${base}:owner`, logs: `${base}:logs`, marks: `${base}:marks`, log };
}

/** The list of all spools. */
export function spoolsKey(prefix: string): string {
  return `${prefix}:{${prefix}:spools}`;
}
