export { BrokerNode } from './broker-node.ts';
export type { CoreLimits } from './limits.ts';
export type { NodeParts } from './parts.ts';
export type { ShareStrategy } from './share-group.ts';
export type { Transport, TransportEvents } from './transport.ts';
