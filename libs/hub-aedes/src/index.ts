export { AedesHub, type AedesHooks } from './aedes-hub.ts';
