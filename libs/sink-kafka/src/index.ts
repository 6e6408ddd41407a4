export { kafkaSinks, kafkaSources } from './kafka-factories.ts';
