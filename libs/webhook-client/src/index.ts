export { isPublicAddress } from './public-address.ts';
export { placeFault, type PlaceFault } from './place-fault.ts';
export {
  WebhookClient,
  type WebhookEndpoint,
  type WebhookPost,
  type WebhookReply,
} from './webhook-client.ts';
