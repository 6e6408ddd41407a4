export { GroupedSpool, type GroupedSpoolOptions } from './grouped-spool.ts';
export type {
  SpoolBlock,
  SpoolChange,
  SpoolChanged,
  SpoolStore,
  StoredLog,
} from './spool-store.ts';
