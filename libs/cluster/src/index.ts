export { ClusterError, type ClusterErrorCode } from './cluster-error.ts';
export {
  Membership,
  type MemberSighting,
  type MembershipEvent,
  type MembershipInput,
  type MembershipOptions,
} from './membership.ts';
export { isNodeId, isSameNode, nodeKey, parseNodeKey } from './node-key.ts';
export { RepeatFilter, type RepeatFilterLimits } from './repeat-filter.ts';
export { RouteLog, type RouteVerdict } from './route-log.ts';
export { RouteTable, type SharePlace, type SharePlaces } from './route-table.ts';
export { SelfLease } from './self-lease.ts';
export { parseShareRoute, shareRoute, shareWeight, type ShareRoute } from './share-route.ts';
export { SingleNodeBus, type SingleNodeBusOptions } from './single-node-bus.ts';
export { UnderWay } from './under-way.ts';
