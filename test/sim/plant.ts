/**
 * A defect that a simulation is to find.
 *
 * - `no-fence`: a former owner's writes are carried out.
 * - `no-once`: sessions do not know the QoS 2 messages that they have had.
 * - `early-ack`: a message counts as stored in another node's inbox before it is.
 * - `lost-batch`: one batch in twenty does not get into its inbox.
 * - `lost-will`: the store is not told of wills, so that those of a dead node are lost.
 * - `unconfirmed-routes`: nobody waits until others know a route.
 */
export type Plant =
  'no-fence' | 'no-once' | 'early-ack' | 'lost-batch' | 'lost-will' | 'unconfirmed-routes';
