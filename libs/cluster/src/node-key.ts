import type { NodeRef } from '#libs/broker-ports';

const NODE_ID = /^[A-Za-z0-9._-]{1,64}$/u;
const NODE_KEY = /^([A-Za-z0-9._-]{1,64})#(\d{1,15})$/u;

/** Tells whether a text may serve as a node id: 1 to 64 of the characters `A-Za-z0-9._-`, so it is safe in keys and channels. */
export function isNodeId(text: string): boolean {
  return NODE_ID.test(text);
}

/** Tells whether two references name the same incarnation of a node. */
export function isSameNode(one: NodeRef, other: NodeRef): boolean {
  return one.nodeId === other.nodeId && one.incarnation === other.incarnation;
}

/** One text for one incarnation of a node: `n1#1732000000000`. Equal references have equal keys. */
export function nodeKey(node: NodeRef): string {
  return `${node.nodeId}#${String(node.incarnation)}`;
}

/**
 * Reads what nodeKey() wrote.
 *
 * @returns undefined for any other text.
 */
export function parseNodeKey(text: string): NodeRef | undefined {
  const parts = NODE_KEY.exec(text);
  const nodeId = parts?.[1];
  const incarnation = parts?.[2];
  if (nodeId === undefined || incarnation === undefined) return undefined;
  return { nodeId, incarnation: Number(incarnation) };
}
