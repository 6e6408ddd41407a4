import type { BridgeBacklog, BridgeQueue, ClusterAnswer, ClusterRequest } from '#libs/broker-ports';
import { isNodeId } from '#libs/cluster';

/** What nodes tell each other apart from messages. */
export type Control =
  /** The sender has applied the route changes of this incarnation up to a sequence. */
  | { readonly kind: 'applied'; readonly incarnation: number; readonly sequence: number }
  /** Asks how far the route changes of this incarnation are applied. */
  | { readonly kind: 'applied-wanted'; readonly incarnation: number }
  | { readonly kind: 'request'; readonly id: number; readonly request: ClusterRequest }
  | {
      readonly kind: 'answer';
      readonly id: number;
      readonly outcome: 'done' | 'refused';
      /** Of one that is done; absent when nothing waits. */
      readonly backlogs?: ClusterAnswer['backlogs'];
    };

/** The answer to a question; undefined refuses it. */
export function answerTo(
  { id }: { readonly id: number },
  answer: ClusterAnswer | undefined,
): Control {
  if (answer === undefined) return { kind: 'answer', id, outcome: 'refused' };
  const { backlogs } = answer;
  return { kind: 'answer', id, outcome: 'done', ...(backlogs.length > 0 && { backlogs }) };
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads a control message; undefined when it is none. Anybody who may write to Redis may have sent it. */
export function controlOf(value: unknown): Control | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kind, incarnation, sequence, id, outcome, request, backlogs } = value as Fields;
  switch (kind) {
    case 'applied':
      if (!isCount(incarnation) || !isCount(sequence)) return undefined;
      return { kind, incarnation, sequence };
    case 'applied-wanted':
      return isCount(incarnation) ? { kind, incarnation } : undefined;
    case 'request': {
      const known = requestOf(request);
      return isCount(id) && known !== undefined ? { kind, id, request: known } : undefined;
    }
    case 'answer':
      if (!isCount(id) || (outcome !== 'done' && outcome !== 'refused')) return undefined;
      return answerOf(id, outcome, backlogs);
    default:
      return undefined;
  }
}

function requestOf(value: unknown): ClusterRequest | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kind, clientId, epoch, isRouted } = value as Fields;
  if (kind === 'bridge-progress') return { kind };
  if (kind !== 'release-session' || typeof clientId !== 'string' || !isCount(epoch)) {
    return undefined;
  }
  return { kind, clientId, epoch, isRouted: isRouted === true };
}

function answerOf(id: number, outcome: 'done' | 'refused', value: unknown): Control | undefined {
  if (value === undefined) return { kind: 'answer', id, outcome };
  const backlogs = listOf(value, backlogOf);
  return backlogs && { kind: 'answer', id, outcome, backlogs };
}

function backlogOf(value: unknown): BridgeBacklog | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { node, queues: listed } = value as Fields;
  if (typeof node !== 'object' || node === null) return undefined;
  const { nodeId, incarnation } = node as Fields;
  const queues = listOf(listed, queueOf);
  if (typeof nodeId !== 'string' || !isNodeId(nodeId) || !isCount(incarnation)) return undefined;
  if (queues === undefined && listed !== undefined) return undefined;
  return { node: { nodeId, incarnation }, queues };
}

function queueOf(value: unknown): BridgeQueue | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { rule, kind, done, last } = value as Fields;
  if (typeof rule !== 'string' || (kind !== 'memory' && kind !== 'spool')) return undefined;
  return isCount(done) && isCount(last) ? { rule, kind, done, last } : undefined;
}

/** Reads a list of which every item can be read. */
function listOf<Item extends object>(
  value: unknown,
  itemOf: (value: unknown) => Item | undefined,
): readonly Item[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const items = value.map(itemOf).filter((item) => item !== undefined);
  return items.length === value.length ? items : undefined;
}

/** Whether a value is a whole number that is not negative. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
