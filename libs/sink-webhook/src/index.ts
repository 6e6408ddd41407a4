export type { ReadSecret } from './http-access.ts';
export { webhookSinks } from './webhook-factory.ts';
