import type {
  BridgeView,
  WireBridge,
  WireBridgeChange,
  WireStoredBridge,
} from '#libs/api-contracts';
import { faultyBridge } from './bridge-draft.ts';
import type { Inquiry } from './cluster/inquiry.ts';
import { compareText } from './cluster/merge.ts';
import { Definitions } from './http/definitions.ts';
import { ProblemError } from './http/problem-error.ts';
import { presentBridge, presentState } from './presenters.ts';

/** Bridges over REST. */
export const BRIDGES = new Definitions('bridge');

/** A bridge with what nodes say of it. */
export interface Surveyed {
  readonly stored: WireStoredBridge;
  readonly view: BridgeView;
}

/** Bridges as the nodes have them. */
export interface Survey {
  /** In the order of their ids. */
  readonly bridges: readonly Surveyed[];
  /** Nodes that did not answer. */
  readonly unavailable: readonly string[];
}

/** Of a bridge that nodes have differently the newest settings are shown, else those of the first node. */
export async function survey(inquiry: Inquiry): Promise<Survey> {
  const nodes = await inquiry.nodes();
  const { answered, unavailable } = await inquiry.askSome(nodes, { kind: 'bridges' });
  const newest = new Map<string, WireBridge>();
  for (const { answer } of answered) {
    for (const bridge of answer.bridges) {
      const { id } = bridge.connector;
      const other = newest.get(id);
      if (other === undefined || other.revision < bridge.revision) newest.set(id, bridge);
    }
  }
  const bridges = [...newest.entries()]
    .toSorted(([a], [b]) => compareText(a, b))
    .map(([id, stored]) => {
      const states = answered.flatMap(({ node, answer }) =>
        answer.bridges
          .filter(({ connector }) => connector.id === id)
          .map((bridge) => presentState(node.nodeId, bridge)),
      );
      return { stored, view: { ...presentBridge(stored), states } };
    });
  return { bridges, unavailable };
}

/** @throws ProblemError when there is no such bridge. */
export function found({ bridges }: Survey, id: string): Surveyed {
  const surveyed = bridges.find(({ view }) => view.id === id);
  if (surveyed === undefined) throw BRIDGES.refused('absent');
  return surveyed;
}

/** The bridge, if it may be changed and its author has seen this revision of it. */
export async function findOwn(
  inquiry: Inquiry,
  id: string,
  ifMatch: string | undefined,
): Promise<WireStoredBridge> {
  const { bridges } = await inquiry.read({ kind: 'bridges' });
  return BRIDGES.own(
    bridges.find(({ connector }) => connector.id === id),
    ifMatch,
  );
}

/** The bridge that a change has made. @throws ProblemError when it was not made. */
export function storedOf(change: WireBridgeChange): WireStoredBridge {
  switch (change.kind) {
    case 'stored':
      return change.stored;
    case 'in-use':
      throw new ProblemError('conflict', `Rules use the bridge: ${change.rules.join(', ')}`);
    case 'invalid':
      throw faultyBridge(change.faults);
    case 'conflict':
    case 'absent':
    case 'read-only':
      throw BRIDGES.refused(change.kind);
  }
}
