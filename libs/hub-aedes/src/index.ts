export { AedesHub } from './aedes-hub.ts';
