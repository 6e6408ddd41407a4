export type { ReadSecret } from './kafka-access.ts';
export { kafkaSinks, kafkaSources } from './kafka-factories.ts';
