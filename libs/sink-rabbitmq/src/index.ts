export { rabbitmqSinks } from './rabbitmq-factory.ts';
export type { ReadSecret } from './rabbitmq-link.ts';
