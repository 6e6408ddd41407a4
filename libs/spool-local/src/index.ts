export { openLocalSpool, type LocalSpoolOptions } from './local-spool.ts';
