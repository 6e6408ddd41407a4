/**
 * Why the cluster refused.
 *
 * - `NODE_ID_IN_USE`: another live node holds this node's id.
 * - `ROUTES_LATE`: not every live node has applied a route change within its deadline.
 * - `ROUTES_UNSURE`: the same of a node that has let an earlier deadline pass, and was not waited for.
 * - `NODE_AWAY`: a node cannot be asked: it is not connected to Redis.
 * - `NODE_SILENT`: a node did not answer a request within its deadline, or left before it did.
 * - `REQUEST_REFUSED`: a node answered that it could not do what was asked.
 * - `CLAIM_LOST`: a dead node was to be forgotten by a node that does not hold its claim.
 * - `CLUSTER_CLOSED`: the bus is not open, or no longer.
 */
export type ClusterErrorCode =
  | 'NODE_ID_IN_USE'
  | 'ROUTES_LATE'
  | 'ROUTES_UNSURE'
  | 'NODE_AWAY'
  | 'NODE_SILENT'
  | 'REQUEST_REFUSED'
  | 'CLAIM_LOST'
  | 'CLUSTER_CLOSED';

/** An operating error of the cluster, apart from the absence of its store. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError';
  readonly code: ClusterErrorCode;

  constructor(code: ClusterErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
